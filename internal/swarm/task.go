package swarm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"
	"unique"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/swarm"
)

// maxServiceFilter is the number of services above which Tasks lists the whole swarm:
// the filter is part of the request's URL, and the engine looks up each service first.
const maxServiceFilter = 50

// Task is one replica of a service, or its try to become one.
type Task struct {
	ID        string
	ServiceID string
	NodeID    string                // "" until it is assigned
	Slot      int                   // from 1, kept when a task is replaced; 0 for a global service
	Desired   string                // "running", or "ready" while it waits for its turn (see Tasks)
	State     string                // "new", "pending", "assigned", "preparing", "ready", "starting", "running"; "failed" and the like for a moment
	Since     time.Time             // of State, by the clock of the task's node
	Message   string                // of State
	Err       string                // why it does not run, "" otherwise
	Addresses map[string]netip.Addr // by network ID; known before the task runs; empty for the host's network; not to be changed
}

// Tasks lists the tasks that run or are to run, of these services or, with nil, of all.
// Tasks of jobs are left out. A service that does not exist has no tasks.
//
// A new task goes through pending, assigned, preparing, starting and running; its Desired is
//
//	running  from the start after a scale-up and in a start-first update: the slot then has
//	         two tasks until the new one runs, when the old one leaves the list
//	ready    in a stop-first update until the old task, which is not in the list any more, has
//	         stopped, and after a crash for the delay of the restart policy
//
// A task that is to stop leaves the list at once (its desired state is shutdown, after a
// scale-down remove). On an overlay network the engine sends SIGTERM only 2 s later.
func (c *Client) Tasks(ctx context.Context, serviceIDs []string) ([]Task, error) {
	if serviceIDs != nil && len(serviceIDs) == 0 {
		return nil, nil
	}
	var list []listedTask
	var err error
	filtered := serviceIDs != nil && len(serviceIDs) <= maxServiceFilter
	if filtered {
		list, err = c.listTasks(ctx, serviceIDs)
	}
	// The engine answers 404 if one of the services has just been removed: take the others from the whole list.
	if !filtered || errors.Is(err, ErrNotFound) {
		list, err = c.listTasks(ctx, nil)
	}
	if err != nil {
		return nil, fmt.Errorf("list tasks: %w", err)
	}
	wanted := make(map[string]bool, len(serviceIDs))
	for _, id := range serviceIDs {
		wanted[id] = true
	}
	tasks := make([]Task, 0, len(list))
	for _, t := range list {
		if !t.job && (serviceIDs == nil || wanted[t.ServiceID]) {
			tasks = append(tasks, t.Task)
		}
	}
	return tasks, nil
}

func (c *Client) listTasks(ctx context.Context, serviceIDs []string) ([]listedTask, error) {
	return c.tasks.ask(ctx, c, taskFilter(serviceIDs))
}

func taskFilter(serviceIDs []string) filters.Args {
	args := filters.NewArgs(
		filters.Arg("desired-state", string(swarm.TaskStateRunning)),
		filters.Arg("desired-state", string(swarm.TaskStateReady)),
	)
	for _, id := range serviceIDs {
		args.Add("service", id)
	}
	return args
}

// listedTask is a task as the engine lists it.
type listedTask struct {
	Task
	job bool
}

// decodeTask reads what is needed, a tenth of the text: the client's own type takes three times as long.
func decodeTask(object []byte) (listedTask, error) {
	var t struct {
		ID, ServiceID, NodeID string
		Slot                  int
		DesiredState          string
		Status                struct {
			Timestamp           time.Time
			State, Message, Err string
		}
		NetworksAttachments []struct {
			Network   struct{ ID string }
			Addresses []string
		}
		JobIteration *struct{}
	}
	if err := json.Unmarshal(object, &t); err != nil {
		return listedTask{}, err
	}
	once := func(s string) string { return unique.Make(s).Value() } // thousands of tasks say the same
	task := Task{
		ID:        t.ID,
		ServiceID: once(t.ServiceID),
		NodeID:    once(t.NodeID),
		Slot:      t.Slot,
		Desired:   once(t.DesiredState),
		State:     once(t.Status.State),
		Since:     t.Status.Timestamp,
		Message:   once(t.Status.Message),
		Err:       t.Status.Err,
		Addresses: make(map[string]netip.Addr, len(t.NetworksAttachments)),
	}
	for _, attachment := range t.NetworksAttachments {
		if addr, ok := addressOf(attachment.Addresses); ok {
			task.Addresses[once(attachment.Network.ID)] = addr
		}
	}
	return listedTask{task, t.JobIteration != nil}, nil
}

// addressOf returns the address of CIDR strings such as "10.0.1.5/24": the first IPv4
// one, else the first of any kind. What is no address is passed over.
func addressOf(cidrs []string) (netip.Addr, bool) {
	var addrs []netip.Addr
	for _, cidr := range cidrs {
		if prefix, err := netip.ParsePrefix(cidr); err == nil {
			addrs = append(addrs, prefix.Addr())
		}
	}
	if i := slices.IndexFunc(addrs, netip.Addr.Is4); i >= 0 {
		return addrs[i], true
	}
	if len(addrs) == 0 {
		return netip.Addr{}, false
	}
	return addrs[0], true
}
