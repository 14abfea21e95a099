-- DocumentDB, in which FerretDB keeps MongoDB's documents. Not for Docker Compose, which runs MongoDB. The database exists
-- already, because pg_cron, which DocumentDB needs, works in it. devstack runs this file at each start.

\connect documentdb
CREATE EXTENSION IF NOT EXISTS documentdb CASCADE;
-- Indexes that can be read in the order of a sort. With plain ones, a query finds everything and sorts it.
CREATE EXTENSION IF NOT EXISTS documentdb_extended_rum;
