-- Runs once, when the volume of PostgreSQL is empty: Prefect has a database of its own.
CREATE DATABASE prefect;
\connect prefect
CREATE EXTENSION IF NOT EXISTS pg_trgm;
