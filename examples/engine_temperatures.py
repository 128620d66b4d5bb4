"""From stored objects to a plot, in cells for a notebook or an editor: the engine temperatures of the hottest trucks.

uv run truckstream demo
uv run --extra query --extra report python examples/engine_temperatures.py truckstream-data temperatures.png
"""

# %% The objects of the demo, or of any bucket or directory that a Batcher has stored to
import sys
from pathlib import Path

import vl_convert

import truckstream

store, picture = sys.argv[1:] or ("truckstream-data", "temperatures.png")

# %% The three trucks with the highest mean, and their means by second
hottest = truckstream.query(
    """
    WITH hottest AS (
        SELECT truck_id FROM records GROUP BY truck_id ORDER BY avg(engine_temp) DESC, truck_id LIMIT 3
    )
    SELECT truck_id, date_trunc('second', "timestamp"::TIMESTAMP) AS second, avg(engine_temp), count(*)
    FROM records SEMI JOIN hottest USING (truck_id)
    GROUP BY ALL ORDER BY ALL
    """,
    store,
).fetchall()
trucks = sorted({truck for truck, *_ in hottest})
print(f"{sum(count for *_, count in hottest)} reports of the hottest trucks: {', '.join(trucks)}")

# %% One line a truck, described in Vega-Lite
chart = {
    "title": "Engine temperature of the hottest trucks",
    "width": 600,
    "height": 300,
    "data": {"values": [{"truck": truck, "second": str(second), "mean": mean} for truck, second, mean, _ in hottest]},
    "mark": "line",
    "encoding": {
        "x": {"field": "second", "type": "temporal", "title": "time (UTC)", "axis": {"format": "%H:%M:%S"}},
        "y": {
            "field": "mean",
            "type": "quantitative",
            "title": "engine_temp, mean of a second",
            "scale": {"zero": False},
        },
        "color": {"field": "truck", "type": "nominal", "title": None},
    },
}
Path(picture).write_bytes(vl_convert.vegalite_to_png(chart, scale=2))
print(f"The plot is {picture}.")
