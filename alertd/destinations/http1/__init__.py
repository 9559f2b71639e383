"""The fast sender: HTTP/1.1 on asyncio protocols."""
