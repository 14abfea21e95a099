// Package contain runs a part of devstack in its own namespaces, so that no process and no mount can be left behind:
//
//	host                       mount + PID namespace
//	────                       ─────────────────────
//	devstack up ──clone──────▶ devstack supervise (PID 1)     mounts: /proc, and the root file system with
//	                            ├─ chroot: postgres, rabbitmq,         /proc /dev /tmp /run /srv in it;
//	                            │          ferretdb, temporal, ui      seen from here only
//	                            └─ catalog, worker, api, …
//
// When PID 1 of a PID namespace ends for any reason, the kernel kills every process in it. When the last process of a mount
// namespace is gone, the kernel undoes its mounts. This needs no clean-up code, so it also works after kill -9. The network is
// the host's.
//
// PID 1 also inherits processes whose parent has ended: RabbitMQ's port mapper, and PostgreSQL's backends after a crash. It
// does not collect them: they are few, and each keeps nothing but its process ID until the stack ends.
package contain

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// Command returns a command that runs this program again, as PID 1 of a new PID namespace and in a new mount namespace. The
// program calls Enter first.
func Command(args ...string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Args[0] = "devstack"
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID}
	return cmd
}

// Enter completes the move into the namespaces: mounts stay inside, and /proc shows the new PIDs.
func Enter() error {
	if os.Getpid() != 1 {
		return errors.New("this command is internal: it runs as PID 1 of its own namespace")
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("keep mounts to ourselves: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	return nil
}
