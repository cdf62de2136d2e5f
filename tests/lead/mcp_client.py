"""The official Python client of the Model Context Protocol, which checks every answer against the schema that was promised.

Usage: mcp_client.py COMMAND [WORD...]; reads [[TOOL, ARGUMENTS], ...] from its standard input and prints a line of JSON for each.
"""

import asyncio
import json
import os
import sys

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client


async def main():
    server = StdioServerParameters(command=sys.argv[1], args=sys.argv[2:], env=dict(os.environ))
    async with stdio_client(server) as streams, ClientSession(*streams) as session:
        await session.initialize()
        print(json.dumps([tool.name for tool in (await session.list_tools()).tools]))
        for name, arguments in json.load(sys.stdin):
            result = (await session.call_tool(name, arguments)).model_dump(by_alias=True)
            print(json.dumps([name, result["isError"], result["structuredContent"]], default=str))


asyncio.run(main())
