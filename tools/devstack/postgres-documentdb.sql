-- DocumentDB, which FerretDB keeps MongoDB's documents in. Not for docker compose: that runs MongoDB.
-- The database is there already: it is also the one that pg_cron, which DocumentDB needs, works in.
-- Run at each start, so that data of earlier versions gets what it lacks.

\connect documentdb
CREATE EXTENSION IF NOT EXISTS documentdb CASCADE;
-- The kind of index that can be read in the order of a sort. The plain one finds everything and sorts it.
CREATE EXTENSION IF NOT EXISTS documentdb_extended_rum;
