package config

import (
	"net/url"
	"slices"
	"strings"
)

// The passwords of the development stack. They only keep programs from each other's data by mistake: everything listens on
// loopback. postgres-init.sql and rabbitmq-definitions.json set them.
const (
	superuser     = "postgres" // PostgreSQL's superuser and its password
	administrator = "admin"    // RabbitMQ's administrator and its password
	stripeKey     = "sk_test_devstack"
)

// DatabaseURL is the URL of a database for a role. In this stack, a role's password is its name.
func (c Config) DatabaseURL(role, database string) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(role, role), Host: c.Address(Postgres), Path: "/" + database,
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

// SuperuserURL is DatabaseURL for PostgreSQL's superuser.
func (c Config) SuperuserURL(database string) string { return c.DatabaseURL(superuser, database) }

func (c Config) amqp(user string) string {
	return "amqp://" + user + ":" + user + "@" + c.Address(RabbitMQ) + "/"
}

// RabbitMQAPI is the base URL of RabbitMQ's management API, with the administrator's name and password.
func (c Config) RabbitMQAPI() string {
	return "http://" + administrator + ":" + administrator + "@" + c.Address(RabbitMQManagement)
}

func (c Config) mongoDB() string { return "mongodb://" + c.Address(MongoDB) + "/" }

// program returns the environment of one of the project's programs, without the user's overrides.
func (c Config) program(name string) []string {
	temporal := []string{"TEMPORAL_ADDRESS=" + c.Address(Temporal), "TEMPORAL_NAMESPACE=default", "TASK_QUEUE=orders"}
	switch name {
	case "api":
		return append(temporal,
			"API_ADDR="+c.Address(API),
			"DATABASE_URL="+c.DatabaseURL("orders_api", "orders"),
			"TEMPORAL_UI_URL=http://"+c.Address(TemporalUI),
			"PAGE_CATALOG_URL=http://"+c.Address(Catalog),
			"AUTH_MODE=none",
			"RATE_LIMIT_PER_ADDRESS=0", // a benchmark sends everything from one address
		)
	case "worker":
		return append(temporal,
			"WORKER_ADDR="+c.Address(Worker),
			"DATABASE_URL="+c.DatabaseURL("orders", "orders"),
			"CATALOG_URL=http://"+c.Address(Catalog),
			"STRIPE_API_URL=http://"+c.Address(StripeSim),
			"STRIPE_API_KEY="+stripeKey,
			"RABBITMQ_URL="+c.amqp("orders"),
		)
	case "catalog":
		return []string{
			"CATALOG_ADDR=" + c.Address(Catalog),
			"MONGODB_URI=" + c.mongoDB(),
			"MONGODB_DATABASE=catalog",
			"AUTH_MODE=none",
		}
	case "notifier":
		return []string{
			"NOTIFIER_ADDR=" + c.Address(Notifier),
			"NOTIFIER_DATABASE_URL=" + c.DatabaseURL("notifier", "notifier"),
			"RABBITMQ_URL=" + c.amqp("orders"),
		}
	case "stripesim":
		return []string{
			"STRIPESIM_ADDR=" + c.Address(StripeSim),
			"STRIPESIM_DATABASE_URL=" + c.DatabaseURL("stripesim", "stripesim"),
			"STRIPESIM_API_KEY=" + stripeKey,
		}
	}
	return nil
}

// ProgramEnvironment returns the variables that lead one of the project's programs to this stack. Users change or add one with
// DEVSTACK_<PROGRAM>_<VARIABLE>. Other variables of their shell do not reach the program: a DATABASE_URL of another
// project must not be written to by accident.
func (c Config) ProgramEnvironment(name string) []string {
	env := c.program(name)
	for key, value := range c.Overrides {
		if variable, ours := strings.CutPrefix(key, overridePrefix(name)); ours {
			env = slices.DeleteFunc(env, func(e string) bool { return strings.HasPrefix(e, variable+"=") })
			env = append(env, variable+"="+value)
		}
	}
	slices.Sort(env)
	return env
}

func overridePrefix(program string) string { return "DEVSTACK_" + strings.ToUpper(program) + "_" }

// ClientEnvironment returns the variables that lead tests and tools to this stack.
func (c Config) ClientEnvironment() []string {
	env := []string{
		"TEST_POSTGRES_URL=" + c.SuperuserURL("postgres"),
		"MONGODB_URI=" + c.mongoDB(),
		"TEST_RABBITMQ_URL=" + c.amqp(administrator),
		"TEST_RABBITMQ_API=" + c.RabbitMQAPI(),
		"TEST_RABBITMQ_ROOT=" + c.RootFS, // for tests that stop and start a RabbitMQ of their own
		"TEST_TEMPORAL_ADDRESS=" + c.Address(Temporal),
		"TEMPORAL_ADDRESS=" + c.Address(Temporal),
		"TEMPORAL_NAMESPACE=default",
		"TEMPORAL_UI_URL=http://" + c.Address(TemporalUI),
		"RABBITMQ_UI_URL=http://" + c.Address(RabbitMQManagement),
		"DEVSTACK_DATA=" + c.Data,
	}
	if c.ServicesOnly {
		return env
	}
	return append(env,
		"API_URL=http://"+c.Address(API),
		"CATALOG_URL=http://"+c.Address(Catalog),
		"STRIPE_API_URL=http://"+c.Address(StripeSim),
		"STRIPE_API_KEY="+stripeKey,
		"DATABASE_URL="+c.DatabaseURL("orders", "orders"),
		"NOTIFIER_DATABASE_URL="+c.DatabaseURL("notifier", "notifier"),
		"STRIPESIM_DATABASE_URL="+c.DatabaseURL("stripesim", "stripesim"),
		"RABBITMQ_URL="+c.amqp("orders"),
	)
}
