package httpserver

import "time"

func init() { watchInterval = 10 * time.Millisecond }
