package contain

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Dir is a directory of the host that appears below /srv in the root file system.
type Dir struct {
	Name     string // below /srv
	Host     string // created when it is missing
	Owner    string // user in the root file system; empty: unchanged
	ReadOnly bool
}

// Self is the path of this program inside a root file system.
const Self = "/srv/devstack"

// Root is the read-only root file system of unprivileged services.
type Root struct {
	path  string
	users map[string]user
}

type user struct{ uid, gid uint32 }

// OpenRoot mounts what services need into the root file system at path: /proc, a small /dev, empty /tmp and /run, and dirs
// below /srv. There the services can reach their data, even when the host's directories have long paths or are closed to
// them.
func OpenRoot(path string, dirs []Dir) (*Root, error) {
	users, err := readUsers(filepath.Join(path, "etc/passwd"))
	if err != nil {
		return nil, err
	}
	r := &Root{path: path, users: users}
	if err := r.mount(path, "", "", unix.MS_BIND, ""); err != nil {
		return nil, err
	}
	if err := r.mountSystem(); err != nil {
		return nil, err
	}
	for _, d := range dirs {
		if err := r.mountDir(d); err != nil {
			return nil, err
		}
	}
	// Last, because the mounts inside it must stay writable.
	return r, r.mount("", "", "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, "")
}

// SysProcAttr makes a command run in the root file system as the named user, in its own process group. The command's path and
// directory are then those inside.
func (r *Root) SysProcAttr(name string) (*syscall.SysProcAttr, error) {
	u, ok := r.users[name]
	if !ok {
		return nil, fmt.Errorf("the root file system %s has no user %s", r.path, name)
	}
	return &syscall.SysProcAttr{
		Chroot: r.path, Credential: &syscall.Credential{Uid: u.uid, Gid: u.gid}, Setpgid: true,
	}, nil
}

func (r *Root) mountSystem() error {
	// By name, because /proc/self/exe leads into the host's mount namespace.
	self, err := os.Executable()
	if err != nil {
		return err
	}
	const noExec = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	steps := []error{
		r.mount("proc", "proc", "proc", noExec, ""),
		r.mount("tmpfs", "tmp", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=1777"),
		r.mount("tmpfs", "run", "tmpfs", noExec, "mode=1777"),
		r.mount("tmpfs", "srv", "tmpfs", noExec, "mode=755"),
		r.mount("tmpfs", "dev", "tmpfs", unix.MS_NOSUID|unix.MS_NOEXEC, "mode=755"),
	}
	for _, device := range []string{"null", "zero", "full", "random", "urandom", "tty"} {
		steps = append(steps, r.bindFile("/dev/"+device, "dev/"+device))
	}
	steps = append(steps,
		os.Symlink("/proc/self/fd", filepath.Join(r.path, "dev/fd")),
		os.Mkdir(filepath.Join(r.path, "dev/shm"), 0o755),
		r.mount("tmpfs", "dev/shm", "tmpfs", noExec, "mode=1777"), // PostgreSQL's shared memory
		r.bindFile(self, Self),
	)
	for _, err := range steps {
		if err != nil {
			return err
		}
	}
	return nil
}

// bindFile makes a file of the host appear inside.
func (r *Root) bindFile(host, inside string) error {
	if err := os.WriteFile(filepath.Join(r.path, inside), nil, 0o644); err != nil {
		return err
	}
	return r.mount(host, inside, "", unix.MS_BIND, "")
}

func (r *Root) mountDir(d Dir) error {
	if err := os.MkdirAll(d.Host, 0o755); err != nil {
		return err
	}
	if d.Owner != "" {
		u, ok := r.users[d.Owner]
		if !ok {
			return fmt.Errorf("the root file system %s has no user %s", r.path, d.Owner)
		}
		if err := os.Chown(d.Host, int(u.uid), int(u.gid)); err != nil {
			return err
		}
	}
	inside := filepath.Join("srv", d.Name)
	if err := os.Mkdir(filepath.Join(r.path, inside), 0o755); err != nil {
		return err
	}
	if err := r.mount(d.Host, inside, "", unix.MS_BIND, ""); err != nil || !d.ReadOnly {
		return err
	}
	return r.mount("", inside, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, "")
}

// mount mounts at a path inside the root file system.
func (r *Root) mount(source, inside, kind string, flags uintptr, data string) error {
	if err := unix.Mount(source, filepath.Join(r.path, inside), kind, flags, data); err != nil {
		return fmt.Errorf("mount %s at /%s in the root file system: %w", source, inside, err)
	}
	return nil
}

func readUsers(passwd string) (map[string]user, error) {
	f, err := os.Open(passwd)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	users := map[string]user{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		fields := strings.Split(lines.Text(), ":")
		if len(fields) < 4 {
			continue
		}
		uid, uidErr := strconv.ParseUint(fields[2], 10, 32)
		gid, gidErr := strconv.ParseUint(fields[3], 10, 32)
		if uidErr == nil && gidErr == nil {
			users[fields[0]] = user{uint32(uid), uint32(gid)}
		}
	}
	return users, lines.Err()
}
