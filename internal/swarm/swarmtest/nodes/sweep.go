//go:build linux

package nodes

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// cgroupName names the cgroups of the nodes whose files are in a folder: other checkouts on the machine have others.
func cgroupName(dir string) string {
	hash := sha256.Sum256([]byte(dir))
	return fmt.Sprintf("sluice-nodes-%x", hash[:4])
}

// sweep removes what nodes leave that are off: files, and cgroups, of which each hierarchy of version 1 has its own. The
// processes and mounts of a test that was killed a moment ago may still be on their way out.
func (c *Cluster) sweep() (err error) {
	late := within(patience, "files and cgroups of "+c.dir+" can be removed", func() bool {
		err = errors.Join(os.RemoveAll(c.dir), removeCgroups(c.cgroup))
		return err == nil
	})
	return errors.Join(late, err)
}

func removeCgroups(name string) error {
	var roots []string
	for _, pattern := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/*"} {
		found, err := filepath.Glob(filepath.Join(pattern, name))
		if err != nil {
			return err
		}
		roots = append(roots, found...)
	}
	var groups []string
	for _, root := range roots {
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				groups = append(groups, path)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	var failed error
	for _, group := range slices.Backward(groups) { // those below first
		failed = errors.Join(failed, os.Remove(group))
	}
	return failed
}
