"""runs: a page of the run log and the statistics of a month at 1,000,000 runs, against 10,000."""

from datetime import UTC, datetime, timedelta

from bench.figures import Result
from bench.growth import grown
from bench.run_store import MODELS, PROVIDERS, SOURCES

SIZES = ({"runs": 10_000}, {"runs": 1_000_000})
MOST_PAGE = 2
MOST_STATS = 3
MONTH = (datetime.now(UTC) - timedelta(days=30)).strftime("%Y-%m-%dT%H:%M:%SZ")

PAGES = {
    "run page": ["/api/runs?limit=50"] * 20,
    "run page, far down": ["/api/runs?limit=50&offset=5000"] * 20,
    "run page of a workspace": ["/api/runs?limit=50&workspace=default"] * 20,
    "run page by key": [f"/api/runs?limit=50&key=key-{n}" for n in range(20)],
    "run page by user": [f"/api/runs?limit=50&user=user{n}" for n in range(20)],
    "run page by model": [f"/api/runs?limit=50&model={each}" for each in MODELS * 3],
    "run page by provider": [f"/api/runs?limit=50&provider={each}" for each in PROVIDERS * 5],
    "run page by source": [f"/api/runs?limit=50&source={each}" for each in SOURCES * 7],
    "run page by status": ["/api/runs?limit=50&status=error"] * 20,
    "run page by time": [f"/api/runs?limit=50&since={MONTH}"] * 20,
    "run page under way": ["/api/runs?limit=50&status=running"] * 20,
}
STATS = {
    "stats of a month": [f"/api/runs/stats?since={MONTH}"] * 20,
    "stats of a month, by day": [f"/api/runs/stats?since={MONTH}&interval=day"] * 20,
    "stats of a month by model": [f"/api/runs/stats?since={MONTH}&group_by=model"] * 20,
    "stats of a month by provider": [f"/api/runs/stats?since={MONTH}&group_by=provider"] * 20,
    "stats of a month by key": [f"/api/runs/stats?since={MONTH}&group_by=key"] * 10,
    "stats of a month of a key": [f"/api/runs/stats?since={MONTH}&key=key-{n}" for n in range(20)],
    "stats of everything": ["/api/runs/stats"] * 20,
}


async def measure() -> Result:
    return await grown({MOST_PAGE: PAGES, MOST_STATS: STATS}, SIZES)
