"""The accepted measurements of each dataset, with their tolerance and the story of every acceptance."""
