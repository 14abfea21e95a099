-- The roles and databases of the project on one PostgreSQL cluster, run once by psql on an empty one: by devstack, and by
-- docker compose (in /docker-entrypoint-initdb.d).
--
-- The passwords are for development only: each is the role's name. Programs create and migrate their own tables.

-- orders: the worker owns it, the api may only read.
CREATE ROLE orders LOGIN PASSWORD 'orders';
CREATE DATABASE orders OWNER orders;
CREATE ROLE orders_api LOGIN PASSWORD 'orders_api';

-- notifier: what customers and operators are told.
CREATE ROLE notifier LOGIN PASSWORD 'notifier';
CREATE DATABASE notifier OWNER notifier;

-- stripesim: the payment gateway's ledger.
CREATE ROLE stripesim LOGIN PASSWORD 'stripesim';
CREATE DATABASE stripesim OWNER stripesim;

-- Temporal: workflow state, and what is searched for in it.
CREATE ROLE temporal LOGIN PASSWORD 'temporal';
CREATE DATABASE temporal OWNER temporal;
CREATE DATABASE temporal_visibility OWNER temporal;

-- Nobody connects to a database that is not theirs.
REVOKE CONNECT ON DATABASE orders, notifier, stripesim, temporal, temporal_visibility FROM PUBLIC;
GRANT CONNECT ON DATABASE orders TO orders_api;

-- Everything that the worker will create in orders, the api may read and never write.
\connect orders
ALTER DEFAULT PRIVILEGES FOR ROLE orders IN SCHEMA public GRANT SELECT ON TABLES TO orders_api;
ALTER DEFAULT PRIVILEGES FOR ROLE orders IN SCHEMA public GRANT SELECT ON SEQUENCES TO orders_api;
ALTER SCHEMA public OWNER TO orders;
GRANT USAGE ON SCHEMA public TO orders_api;

-- Temporal's visibility schema creates the extension btree_gin, which is a trusted one: its role may do so itself.
