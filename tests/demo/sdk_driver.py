"""Drive the official SDK in a process of its own: a JSON call per line in, a JSON answer per line out."""

import json
import sys
import warnings

import tinker
from tinker import types


def plain(answer):
    """Return what the SDK answered as plain data."""
    return answer.model_dump(mode="json") if hasattr(answer, "model_dump") else answer


def perform(client, name, arguments):
    """Do one call."""
    if name == "search_sessions":
        return client.search_sessions(types.SessionSearchRequest(**arguments)).result()
    outcome = getattr(client, name)(**arguments)
    return outcome.result() if hasattr(outcome, "result") else outcome


def main():
    """Serve calls until the input ends."""
    warnings.simplefilter("ignore")
    client = tinker.RestClient(base_url=sys.argv[1], api_key=sys.argv[2])
    for line in sys.stdin:
        name, arguments = json.loads(line)
        try:
            reply = {"answer": plain(perform(client, name, arguments))}
        except tinker.APIStatusError as error:
            reply = {"status": error.status_code, "body": error.body}
        print(json.dumps(reply), flush=True)


main()
