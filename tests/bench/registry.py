"""registry: search and a filtered page at 100,000 prompts, against the same at 1,000."""

from itertools import product

from bench.figures import Result
from bench.growth import grown
from bench.stores import CATEGORIES, COMMON, ENVIRONMENTS, RARE_WORDS, TAGS

SIZES = ({"prompts": 1_000}, {"prompts": 100_000})
MOST = 3
# Each search finds the same number of prompts in both, and the page by all is full in both.
PATHS = {
    "search": [f"/api/prompts?q={word}&limit=100" for word in RARE_WORDS * 3],
    "search with filters": [
        f"/api/prompts?q={word}&env={env}&workspace=default&limit=100"
        for word, env in product(RARE_WORDS, ENVIRONMENTS)
    ],
    "search for nothing": ["/api/prompts?q=istant%20pro&limit=100"] * 20,
    "page by environment": [f"/api/prompts?env={env}&limit=50" for env in ENVIRONMENTS * 7],
    "page by category": [f"/api/prompts?category={category}&limit=50" for category in CATEGORIES],
    "page by tag": [f"/api/prompts?tag={tag}&limit=50" for tag in TAGS],
    "page by all": [
        f"/api/prompts?category={COMMON}&tag={COMMON}&env=prod&workspace=default&limit=50"
    ]
    * 20,
    "page without filter": ["/api/prompts?limit=50"] * 20,
}


async def measure() -> Result:
    return await grown({MOST: PATHS}, SIZES)
