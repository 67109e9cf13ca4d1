"""The database itself: its types and names, what its catalog says, its sessions and errors."""
