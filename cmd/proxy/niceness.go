package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
)

// niceness is how much more the controller's is than HAProxy's, and that of the `haproxy -c` it starts. With 5 it has a
// quarter of a core for which both compete, so that requests do not wait while it reads 10,000 servers, and it comes to its
// turn all the same.
const niceness = 5

// stepBack lets HAProxy go first where both want the processor. Niceness belongs to each thread; new ones inherit it, also
// from one whose turn has not come yet: it is done when all threads that there are have been seen.
func stepBack() error {
	before, err := syscall.Getpriority(syscall.PRIO_PROCESS, os.Getpid()) // 20 is niceness 0, 1 is 19
	if err != nil {
		return fmt.Errorf("get niceness: %w", err)
	}
	want := min(20-before+niceness, 19)
	seen := map[string]bool{}
	for fresh := true; fresh; {
		threads, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return fmt.Errorf("list threads: %w", err)
		}
		fresh = false
		for _, thread := range threads {
			if seen[thread.Name()] {
				continue
			}
			seen[thread.Name()], fresh = true, true
			id, err := strconv.Atoi(thread.Name())
			if err != nil {
				return fmt.Errorf("list threads: %w", err)
			}
			if err := syscall.Setpriority(syscall.PRIO_PROCESS, id, want); err != nil && !errors.Is(err, syscall.ESRCH) { // it has ended
				return fmt.Errorf("set niceness: %w", err)
			}
		}
	}
	return nil
}
