"""Runs an `Elasticsearch` connector in a Python with another client library, as lines of JSON tell it."""

from __future__ import annotations

import json
import sys

from hookmq.connectors import Elasticsearch, Record


def main() -> None:
    connector = Elasticsearch()
    for line in sys.stdin:
        command = json.loads(line)
        answer: dict[str, object] = {}
        try:
            match command["do"]:
                case "new":
                    connector.close()
                    connector = Elasticsearch(**command["options"])
                    connector.check()
                    connector.open()
                case "write":
                    records = [Record.from_json(each) for each in command["records"]]
                    rejected = connector.write(records, again=command["again"]) or ()
                    answer["rejected"] = [[record.number, reason] for record, reason in rejected]
                case "version":
                    import elasticsearch

                    answer["version"] = list(elasticsearch.__version__)
        except Exception as error:
            answer = {"error": connector.reason(error), "rejection": connector.is_rejection(error)}
        print(json.dumps(answer), flush=True)


main()
