-- DocumentDB, which FerretDB keeps MongoDB's documents in. Not for docker compose: that runs MongoDB.
-- The database's name is also in the setting cron.database_name, which pg_cron needs before it is created.

CREATE DATABASE documentdb;
\connect documentdb
CREATE EXTENSION documentdb CASCADE;
