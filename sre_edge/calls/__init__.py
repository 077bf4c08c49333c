"""Every call of the API, described once for the blocking and the asyncio client."""
