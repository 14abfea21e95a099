package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// ticksPerSecond is the unit of CPU time in /proc: USER_HZ, 100 on every Linux that Go runs on.
const ticksPerSecond = 100

// usage is the CPU time of processes so far.
type usage map[int]processTime

type processTime struct {
	program string
	ticks   uint64
}

// cpu reads the CPU time of everything that takes part: the stack, what we started, and ourselves.
func (s *stack) cpu(ctx context.Context) (usage, error) {
	if s.roots == nil {
		roots, err := s.programs(ctx)
		if err != nil {
			return nil, err
		}
		s.roots = roots
	}
	return readUsage("/proc", s.roots)
}

// programs returns the process IDs of the programs, by the names that they are reported under.
func (s *stack) programs(ctx context.Context) (map[int]string, error) {
	status := exec.CommandContext(ctx, filepath.Join(s.o.bin, "devstack"), "status", "--json", "--data", s.c.Data)
	out, err := status.Output()
	if err != nil {
		return nil, fmt.Errorf("devstack status: %w", err)
	}
	var listed struct {
		Services []struct {
			Name    string `json:"name"`
			HostPID int    `json:"hostPid"`
		} `json:"services"`
	}
	if err := json.Unmarshal(out, &listed); err != nil {
		return nil, fmt.Errorf("devstack status: %w", err)
	}
	roots := map[int]string{os.Getpid(): "client"}
	for _, service := range listed.Services {
		roots[service.HostPID] = service.Name
	}
	for _, c := range s.children {
		roots[c.cmd.Process.Pid] = c.name
	}
	return roots, nil
}

// readUsage reads the CPU time of the roots and of all processes below them, which count for the nearest root above.
func readUsage(proc string, roots map[int]string) (usage, error) {
	entries, err := os.ReadDir(proc)
	if err != nil {
		return nil, err
	}
	parents, ticks := map[int]int{}, map[int]uint64{}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile(filepath.Join(proc, e.Name(), "stat"))
		if err != nil {
			continue // it has ended
		}
		if parents[pid], ticks[pid], err = parseStat(string(stat)); err != nil {
			return nil, err
		}
	}
	u := usage{}
	for pid := range parents {
		if program := rootOf(pid, parents, roots); program != "" {
			u[pid] = processTime{program + database(proc, pid, program), ticks[pid]}
		}
	}
	return u, nil
}

// parseStat reads /proc/PID/stat: fields 4 (parent), 14 and 15 (user and system time). The second, the name, may hold
// anything but ends with the last parenthesis.
func parseStat(stat string) (parent int, ticks uint64, err error) {
	_, rest, ok := cutLast(stat, ") ")
	fields := strings.Fields(rest)
	if !ok || len(fields) < 13 {
		return 0, 0, fmt.Errorf("read /proc: %q is no stat line", stat)
	}
	parent, err = strconv.Atoi(fields[1])
	if err != nil {
		return 0, 0, fmt.Errorf("read /proc: %w", err)
	}
	for _, field := range fields[11:13] {
		n, err := strconv.ParseUint(field, 10, 64)
		if err != nil {
			return 0, 0, fmt.Errorf("read /proc: %w", err)
		}
		ticks += n
	}
	return parent, ticks, nil
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

func rootOf(pid int, parents map[int]int, roots map[int]string) string {
	for pid > 0 {
		if program, ok := roots[pid]; ok {
			return program
		}
		pid = parents[pid]
	}
	return ""
}

// database tells PostgreSQL's processes apart by the database that they serve, as their title says:
// "postgres: orders orders 127.0.0.1(4242) idle".
func database(proc string, pid int, program string) string {
	if program != "postgres" {
		return ""
	}
	title, err := os.ReadFile(filepath.Join(proc, strconv.Itoa(pid), "cmdline"))
	if err != nil {
		return ""
	}
	fields := strings.Fields(strings.ReplaceAll(string(title), "\x00", " "))
	if len(fields) > 3 && fields[0] == "postgres:" && strings.HasSuffix(fields[3], ")") {
		return ": " + fields[2]
	}
	return ""
}

// since returns the CPU seconds that each program used since before. A process that ended in between is not counted.
func (u usage) since(before usage) map[string]float64 {
	seconds := map[string]float64{}
	for pid, now := range u {
		ticks := now.ticks
		if b, ok := before[pid]; ok {
			ticks -= b.ticks
		}
		seconds[now.program] += float64(ticks) / ticksPerSecond
	}
	maps.DeleteFunc(seconds, func(_ string, s float64) bool { return s == 0 })
	return seconds
}
