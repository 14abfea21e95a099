package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/prometheus/procfs"
)

// usage is the CPU time, in seconds, that processes have used so far.
type usage map[int]process

type process struct {
	procfs.Proc
	program string
	seconds float64
}

// usage reads the CPU time of everything that takes part: the stack, the started programs, and ourselves.
func (s *stack) usage(ctx context.Context) (usage, error) {
	roots, err := s.programs(ctx)
	if err != nil {
		return nil, err
	}
	return readUsage("/proc", roots)
}

// programs returns the names of the programs by their process IDs.
func (s *stack) programs(ctx context.Context) (map[int]string, error) {
	status := exec.CommandContext(ctx, filepath.Join(s.o.Bin, "devstack"), "status", "--json", "--data", s.c.Data)
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
	maps.Copy(roots, s.children)
	return roots, nil
}

// readUsage reads the CPU time of the roots and of all processes below them, which count for the nearest root above.
func readUsage(proc string, roots map[int]string) (usage, error) {
	fs, err := procfs.NewFS(proc)
	if err != nil {
		return nil, err
	}
	all, err := fs.AllProcs()
	if err != nil {
		return nil, err
	}
	parents, u := map[int]int{}, usage{}
	for _, p := range all {
		if stat, err := p.Stat(); err == nil { // else it has ended
			parents[p.PID] = stat.PPID
			u[p.PID] = process{Proc: p, seconds: stat.CPUTime()}
		}
	}
	for pid, p := range u {
		if p.program = rootOf(pid, parents, roots); p.program == "postgres" {
			p.program += p.database()
		}
		u[pid] = p
	}
	maps.DeleteFunc(u, func(_ int, p process) bool { return p.program == "" })
	return u, nil
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

// database tells PostgreSQL's processes apart by the database that they serve, which is in their title:
// "postgres: orders orders 127.0.0.1(4242) idle".
func (p process) database() string {
	title, _ := p.CmdLine()
	fields := strings.Fields(strings.Join(title, " "))
	if len(fields) > 3 && fields[0] == "postgres:" && strings.HasSuffix(fields[3], ")") {
		return ": " + fields[2]
	}
	return ""
}

// since returns the CPU seconds that each program used since before. A process that ended in between is not counted.
func (u usage) since(before usage) map[string]float64 {
	seconds := map[string]float64{}
	for pid, now := range u {
		seconds[now.program] += now.seconds - before[pid].seconds
	}
	return seconds
}

// memory returns the memory of each program in MiB. Each of the processes that share a page has its part of it (PSS).
func (u usage) memory() map[string]float64 {
	total := map[string]float64{}
	for _, p := range u {
		name, _, _ := strings.Cut(p.program, ":")
		rollup, _ := p.ProcSMapsRollup() // zero when the process has ended
		total[name] += float64(rollup.Pss) / (1 << 20)
	}
	return total
}
