"""What pytest needs to know before it looks at any test."""

pytest_plugins = ["pytester"]
