"""Let in the users of a table, with passwords as a Django site has them.

python examples/29_sql_users.py

mosquitto_pub -u pump -P water -t plant/flow -m 100      # is let in
mosquitto_pub -u pump -P fire  -t plant/flow -m 100      # is refused
"""

import base64
import hashlib
import sqlite3

from hookmq import Broker
from hookmq.authentication import SQLTable

broker = Broker()

with sqlite3.connect("users.db") as database:
    database.execute("CREATE TABLE IF NOT EXISTS auth_user (username PRIMARY KEY, password, is_active)")
    made = base64.b64encode(hashlib.pbkdf2_hmac("sha256", b"water", b"salt", 100_000)).decode()
    row = ("pump", f"pbkdf2_sha256$100000$salt${made}", True)
    database.execute("INSERT OR REPLACE INTO auth_user VALUES (?, ?, ?)", row)
database.close()

QUERY = "SELECT password, username FROM auth_user WHERE username = :username AND is_active"
broker.authenticate_with(SQLTable("sqlite:///users.db", QUERY))

if __name__ == "__main__":
    broker.run()
