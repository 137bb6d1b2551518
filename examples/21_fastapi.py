"""A whole FastAPI application on the broker's HTTP port, with its checks and its documentation at /api/docs.

pip install fastapi
python examples/21_fastapi.py

mosquitto_sub -v -t 'tank/#'
curl -X PUT localhost:8080/api/tanks/7 -H 'Content-Type: application/json' -d '{"level": 12}'
curl localhost:8080/api/tanks/7
"""

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

from hookmq import Broker

broker = Broker()
app = FastAPI()


class Tank(BaseModel):
    """What is known of a tank."""

    level: float
    open: bool = False


@app.put("/tanks/{tank}", status_code=202)
def set_tank(tank: int, state: Tank) -> None:
    broker.publish(f"tank/{tank}", state.model_dump())


@app.get("/tanks/{tank}")
def get_tank(tank: int) -> Tank:
    rows = broker.history(f"tank/{tank}", newest=True, limit=1)
    if not rows:
        raise HTTPException(404, "there is no such tank")
    return Tank.model_validate_json(rows[0].payload)


broker.mount("/api", app)


if __name__ == "__main__":
    broker.run()
