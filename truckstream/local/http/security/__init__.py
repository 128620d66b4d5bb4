"""Who may call the server and who may read its responses (`Host`, `Origin`, CORS), and its TLS certificate."""
