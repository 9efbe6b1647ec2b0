"""What a person is doing: sessions, workspaces, what a browser may name, and states that travel."""
