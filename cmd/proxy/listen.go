package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"syscall"

	"sluice/internal/label"
	"sluice/routing"
)

// listens tries the addresses of listeners before HAProxy gets them: `haproxy -c` binds nothing, and while a reload
// cannot bind an address the old worker takes no connections (2.6: for two seconds).
type listens struct {
	doubt bool // the last reload failed: what runs is tried too
}

// try leaves out the listeners whose addresses cannot be bound, and reports them. What HAProxy has already is not asked:
// an address that leaves the machine for a moment comes back. The addresses stay held, so that nobody takes them before
// HAProxy does, until release.
func (l *listens) try(t routing.Table, running map[string]bool) (kept routing.Table, problems []label.Problem, release func()) {
	var held []int
	kept, problems = t.WithoutListeners(func(listener routing.Listener) error {
		if running[listener.Name()] && !l.doubt {
			return nil
		}
		for _, addr := range listener.Binds() {
			fd, err := hold(addr)
			if err != nil {
				return err
			}
			held = append(held, fd)
		}
		return nil
	})
	return kept, problems, func() {
		for _, fd := range held {
			syscall.Close(fd)
		}
	}
}

// accuse takes note of what became of a reload that HAProxy had checked. To one that failed it adds the addresses that
// cannot be bound.
func (l *listens) accuse(failure error, t routing.Table, s routing.Settings) error {
	if l.doubt = failure != nil; !l.doubt {
		return nil
	}
	addresses := addressesOf(s.Entries)
	for _, listener := range t.Listeners {
		addresses = append(addresses, listener.Binds()...)
	}
	return errors.Join(failure, bindable(addresses))
}

func addressesOf(entries []routing.HTTPEntry) (addresses []netip.AddrPort) {
	for _, e := range entries {
		words := strings.Fields(strings.Replace(e.Address, "*:", "0.0.0.0:", 1))
		if addr, err := netip.ParseAddrPort(words[0]); err == nil {
			addresses = append(addresses, addr)
		}
	}
	return addresses
}

// bindable says which of these addresses cannot be bound, and why.
func bindable(addresses []netip.AddrPort) (reasons error) {
	for _, addr := range addresses {
		fd, err := hold(addr)
		if err != nil {
			reasons = errors.Join(reasons, err)
			continue
		}
		syscall.Close(fd)
	}
	return reasons
}

// unbindable finds the addresses of a written configuration's listeners that cannot be bound.
func unbindable(config string) (taken map[netip.AddrPort]bool, reasons error) {
	taken = map[netip.AddrPort]bool{}
	for _, addr := range routing.ListenerBinds(config) {
		if err := bindable([]netip.AddrPort{addr}); err != nil {
			taken[addr], reasons = true, errors.Join(reasons, err)
		}
	}
	return taken, reasons
}

// hold binds an address as HAProxy does, which shares it with sockets of the same user that do so too, HAProxy's own
// among them. It does not listen, so it takes no connection.
func hold(addr netip.AddrPort) (fd int, err error) {
	const reusePort = 0xf // SO_REUSEPORT of Linux, which package syscall lacks
	family, place := syscall.AF_INET6, syscall.Sockaddr(&syscall.SockaddrInet6{Port: int(addr.Port()), Addr: addr.Addr().As16()})
	if addr.Addr().Is4() {
		family, place = syscall.AF_INET, &syscall.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()}
	}
	fd, err = syscall.Socket(family, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("open a socket: %w", err)
	}
	for _, option := range []int{syscall.SO_REUSEADDR, reusePort} {
		err = errors.Join(err, os.NewSyscallError("setsockopt", syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, option, 1)))
	}
	if err == nil {
		err = syscall.Bind(fd, place)
	}
	if err != nil {
		syscall.Close(fd)
		return 0, fmt.Errorf("bind %s: %w", addr, err)
	}
	return fd, nil
}
