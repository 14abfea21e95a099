-- DocumentDB, which FerretDB keeps MongoDB's documents in. Not for docker compose: that runs MongoDB.
-- The database is there already: it is also the one that pg_cron, which DocumentDB needs, works in.

\connect documentdb
CREATE EXTENSION documentdb CASCADE;
