//go:build linux

package nodes

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Loading an image takes an engine seconds, and every node needs the same ones. So they are loaded once, into an engine that
// does nothing else and whose folder stays for later runs, and its files get further names in the folders of the nodes. The
// engine never changes the files of a layer, and replaces its own instead of writing into them.

// identify answers the images by name and id, "sluice/proxy sha256:…", in their order.
func identify(names []string) (images []string, err error) {
	for _, name := range names {
		id, err := run("docker", "image", "inspect", "--format", "{{.Id}}", name)
		if err != nil {
			return nil, err
		}
		images = append(images, name+" "+id)
	}
	return images, nil
}

// fill puts the images into the folders of the nodes. The seeds are in dir, for one run at a time.
func (c *Cluster) fill(dir string, images []string) error {
	if err := os.MkdirAll(c.dir, 0o755); err != nil || len(images) == 0 {
		return err
	}
	unlock, err := lock(dir)
	if err != nil {
		return err
	}
	defer unlock()
	seed, err := c.seed(dir, images)
	if err != nil {
		return err
	}
	for _, n := range c.Nodes {
		if err := share(seed, n.data()); err != nil {
			return err
		}
	}
	return nil
}

// seed answers a folder of an engine that has these images and nothing else, below dir. It is made where it is not there.
func (c *Cluster) seed(dir string, images []string) (string, error) {
	hash := sha256.Sum256([]byte(strings.Join(slices.Sorted(slices.Values(images)), "\n")))
	seed := filepath.Join(dir, fmt.Sprintf("%x", hash[:6]))
	if _, err := os.Stat(seed); err == nil {
		return seed, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	n := c.node(0, "seed")
	if err := n.load(images); err != nil {
		return "", fmt.Errorf("load images: %w", err)
	}
	if err := removeOthers(dir, seed); err != nil {
		return "", err
	}
	return seed, os.Rename(n.data(), seed)
}

// load starts the node for the time that it takes to load the images.
func (n *Node) load(images []string) error {
	if err := n.boot(); err != nil {
		return err
	}
	defer n.off()
	args := []string{"save"}
	for _, image := range images {
		name, _, _ := strings.Cut(image, " ")
		args = append(args, name)
	}
	save, load := exec.Command("docker", args...), exec.Command("docker", "--host", n.Host(), "load", "--quiet")
	var err error
	if load.Stdin, err = save.StdoutPipe(); err != nil {
		return err
	}
	var said strings.Builder
	load.Stdout, load.Stderr, save.Stderr = &said, &said, &said
	if err := load.Start(); err != nil {
		return err
	}
	if err := errors.Join(save.Run(), load.Wait()); err != nil {
		return fmt.Errorf("%w: %s", err, said.String())
	}
	// An engine that ends in order has written everything.
	if _, err := run("nsenter", "--target", n.first.pid(), "--pid", "--mount", "bash", "-c", "kill $(cat /run/docker.pid)"); err != nil {
		return err
	}
	return within(patience, "the engine ends", func() bool {
		_, err := os.Stat("/proc/" + n.first.pid() + "/root/run/docker.pid")
		return errors.Is(err, fs.ErrNotExist)
	})
}

// removeOthers removes the seeds of images that are not the ones of now.
func removeOthers(dir, seed string) error {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if old := filepath.Join(dir, e.Name()); old != seed {
			err = errors.Join(err, os.RemoveAll(old))
		}
	}
	return err
}

// share gives the images of a seed to a folder that is not there yet.
func share(seed, data string) error {
	if err := os.MkdirAll(data, 0o755); err != nil {
		return err
	}
	_, err := run("cp", "--archive", "--link", filepath.Join(seed, "image"), filepath.Join(seed, "overlay2"), data)
	return err
}
