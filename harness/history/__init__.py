"""Every measurement of every rerun through time: kept, read again, and looked at for what changed when."""
