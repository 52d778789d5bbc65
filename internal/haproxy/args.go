package haproxy

// Args is the command line of a master that serves a Store and listens for commands on the socket, which only the
// starter's user may open. The master stays in the foreground, so that whoever starts it sees it end.
func Args(binary string, store *Store, socket string) []string {
	return []string{binary, "-W", "-S", socket + ",mode,600", "-f", store.ConfigFile()}
}
