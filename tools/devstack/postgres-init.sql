-- The roles and databases of the project. devstack and Docker Compose (/docker-entrypoint-initdb.d) run this file once, on an
-- empty PostgreSQL cluster.
--
-- The passwords are for development only: each is the role's name. The programs create and migrate their own tables.

-- orders: the worker owns it, the api may only read it.
CREATE ROLE orders LOGIN PASSWORD 'orders';
CREATE DATABASE orders OWNER orders;
CREATE ROLE orders_api LOGIN PASSWORD 'orders_api';

-- notifier: notifications to customers and operators.
CREATE ROLE notifier LOGIN PASSWORD 'notifier';
CREATE DATABASE notifier OWNER notifier;

-- stripesim: the payment gateway's ledger.
CREATE ROLE stripesim LOGIN PASSWORD 'stripesim';
CREATE DATABASE stripesim OWNER stripesim;

-- Temporal: the state of workflows, and the index for searching them.
CREATE ROLE temporal LOGIN PASSWORD 'temporal';
CREATE DATABASE temporal OWNER temporal;
CREATE DATABASE temporal_visibility OWNER temporal;

-- A role connects only to its own database.
REVOKE CONNECT ON DATABASE orders, notifier, stripesim, temporal, temporal_visibility FROM PUBLIC;
GRANT CONNECT ON DATABASE orders TO orders_api;

-- The api may read, and never write, every table that the worker will create.
\connect orders
ALTER DEFAULT PRIVILEGES FOR ROLE orders IN SCHEMA public GRANT SELECT ON TABLES TO orders_api;
ALTER DEFAULT PRIVILEGES FOR ROLE orders IN SCHEMA public GRANT SELECT ON SEQUENCES TO orders_api;
ALTER SCHEMA public OWNER TO orders;
GRANT USAGE ON SCHEMA public TO orders_api;

-- Temporal's visibility schema creates the extension btree_gin. It is a trusted extension, so Temporal's role may do that.
