"""runs: a page of the run log and the statistics of a month at 1,000,000 runs, against 10,000."""

from datetime import UTC, datetime, timedelta

from bench.figures import Result
from bench.growth import grown
from bench.run_store import MODELS, PROVIDERS, SOURCES

SIZES = ({"runs": 10_000}, {"runs": 1_000_000})
MOST_PAGE = 2
MOST_STATS = 3
WEEK = (datetime.now(UTC) - timedelta(days=7)).strftime("%Y-%m-%dT%H:%M:%SZ")
MONTH = (datetime.now(UTC) - timedelta(days=30)).strftime("%Y-%m-%dT%H:%M:%SZ")

PAGES = {
    "run page": ["/api/runs?limit=50"] * 20,
    "run page, far down": ["/api/runs?limit=50&offset=5000"] * 20,
    "run page of a workspace": ["/api/runs?limit=50&workspace=default"] * 20,
    "run page by key": [f"/api/runs?limit=50&key=key-{n}" for n in range(20)],
    "run page by user": [f"/api/runs?limit=50&user=user{n}" for n in range(20)],
    "run page by model": [f"/api/runs?limit=50&model={model}" for model in MODELS * 3],
    "run page by provider": [
        f"/api/runs?limit=50&provider={provider}" for provider in PROVIDERS * 5
    ],
    "run page by source": [f"/api/runs?limit=50&source={source}" for source in SOURCES * 7],
    "run page by status": ["/api/runs?limit=50&status=error"] * 20,
    "run page by time": [f"/api/runs?limit=50&since={MONTH}"] * 20,
    "run page by prompt": [
        f"/api/runs?limit=50&prompt=key-{n}&prompt_env=prod&prompt_version=v1" for n in range(20)
    ],
    "run page of a prompt": [f"/api/runs?limit=50&prompt=key-{n}" for n in range(20)],
    "run page by state": ["/api/runs?limit=50&state=cancelled"] * 20,
    "run page of a version": [f"/api/runs?limit=50&key=key-{n}&version=2" for n in range(20)],
    "run page under way": ["/api/runs?limit=50&status=running"] * 20,
}
STATS = {
    "stats of a month": [f"/api/runs/stats?since={MONTH}"] * 20,
    "stats of a month, by day": [f"/api/runs/stats?since={MONTH}&interval=day"] * 20,
    "stats of a month by model": [f"/api/runs/stats?since={MONTH}&group_by=model"] * 20,
    "stats of a month by provider": [f"/api/runs/stats?since={MONTH}&group_by=provider"] * 20,
    "stats of a month by key": [f"/api/runs/stats?since={MONTH}&group_by=key"] * 10,
    "stats of a month of a key": [f"/api/runs/stats?since={MONTH}&key=key-{n}" for n in range(20)],
    "stats of a month by prompt version": [f"/api/runs/stats?since={MONTH}&group_by=prompt_version"]
    * 10,
    "stats of a month of a prompt, by version": [
        f"/api/runs/stats?since={MONTH}&prompt=key-{n}&group_by=prompt_version" for n in range(20)
    ],
    "stats of a month by version": [f"/api/runs/stats?since={MONTH}&group_by=version"] * 10,
    "stats of a month of a key, by version": [
        f"/api/runs/stats?since={MONTH}&key=key-{n}&group_by=version" for n in range(20)
    ],
    "stats of a month by state": [f"/api/runs/stats?since={MONTH}&group_by=state"] * 20,
    "stats of a week by the hour beside the week before": [
        f"/api/runs/stats?since={WEEK}&interval=hour&compare_days=7"
    ]
    * 20,
    "stats of a week by the hour, by prompt version": [
        f"/api/runs/stats?since={WEEK}&interval=hour&group_by=prompt_version"
    ]
    * 10,
    "stats of everything": ["/api/runs/stats"] * 20,
}


async def measure() -> Result:
    return await grown({MOST_PAGE: PAGES, MOST_STATS: STATS}, SIZES)
