"""Thousands of messages at a time as columns: means of a window, with polars.

    pip install polars
    python examples/17_arrow.py

    mosquitto_sub -v -t 'mean/#'
    mosquitto_pub -t room/kitchen -m '{"celsius": 21.5}'

The JSON field is read natively; Python sees a column of numbers. pyarrow, pandas and duckdb read it as well.
"""

from typing import Any

import polars

from hookmq import Broker

broker = Broker()

WINDOW = 1000  # readings of each room
window = polars.DataFrame(schema={"topic": polars.String, "celsius": polars.Float64})


@broker.on_batch("room/+", format="arrow", fields={"celsius": float}, max_delay=0.2)
def average(rows: Any) -> None:
    global window
    # A payload without such a number has none in the column.
    fresh = polars.DataFrame(rows).select("topic", "celsius").drop_nulls()
    window = polars.concat([window, fresh]).group_by("topic", maintain_order=True).tail(WINDOW)
    means = window.group_by("topic").agg(
        polars.col("celsius").mean().round(2), polars.len().alias("readings")
    )
    for mean in means.to_dicts():
        broker.publish(f"mean/{mean.pop('topic')}", mean, retain=True)


if __name__ == "__main__":
    broker.run()
