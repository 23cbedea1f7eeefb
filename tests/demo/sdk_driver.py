"""Run the official SDK in a separate process: one JSON call per line of input, one JSON result per line of output."""

import json
import sys
import warnings

import tinker
from tinker import types


def to_plain(answer):
    """Return a result of the SDK as plain data."""
    return answer.model_dump(mode="json") if hasattr(answer, "model_dump") else answer


def call(client, name, arguments):
    """Call a method of the client."""
    if name == "search_sessions":
        return client.search_sessions(types.SessionSearchRequest(**arguments)).result()
    outcome = getattr(client, name)(**arguments)
    return outcome.result() if hasattr(outcome, "result") else outcome


def main():
    """Execute calls until the input ends."""
    warnings.simplefilter("ignore")
    client = tinker.RestClient(base_url=sys.argv[1], api_key=sys.argv[2])
    for line in sys.stdin:
        name, arguments = json.loads(line)
        try:
            reply = {"answer": to_plain(call(client, name, arguments))}
        except tinker.APIStatusError as error:
            reply = {"status": error.status_code, "body": error.body}
        print(json.dumps(reply), flush=True)


main()
