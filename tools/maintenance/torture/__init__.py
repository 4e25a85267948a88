"""``make torture``: kills, full disks, hostile files and bad input against every command."""
