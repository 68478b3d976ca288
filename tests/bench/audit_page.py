"""audit page: at 1,000,000 entries, against the same at 10,000."""

from bench.figures import Result
from bench.growth import grown

SIZES = ({"entries": 10_000}, {"entries": 1_000_000})
MOST = 2
PATHS = {
    "audit page": ["/api/audit?limit=50"] * 20,
    "audit page, far down": ["/api/audit?limit=50&offset=5000"] * 20,
    "audit page by actor": [f"/api/audit?limit=50&actor=user{n}" for n in range(20)],
    "audit page by key": [f"/api/audit?limit=50&key=key-{n}" for n in range(20)],
    "audit page by action": ["/api/audit?limit=50&action=publish"] * 20,
    "audit page by resource": ["/api/audit?limit=50&resource=prompt"] * 20,
}


async def measure() -> Result:
    return await grown({MOST: PATHS}, SIZES)
