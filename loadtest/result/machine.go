package result

import (
	"bytes"
	"os"
	"runtime"
	"strconv"
	"strings"
)

// Machine is where the client ran.
type Machine struct {
	Host      string `json:"host"`
	OS        string `json:"os"`     // with its release where it is known
	Arch      string `json:"arch"`   // of the processor
	Processor string `json:"cpu"`    // its model, "" when not known
	Cores     int    `json:"cores"`  // usable ones
	MemoryMB  int    `json:"memory"` // MB, 0 when not known
	Go        string `json:"go"`     // version that built the client
}

// ThisMachine asks the system; what it does not tell stays empty.
func ThisMachine() Machine {
	host, _ := os.Hostname()
	m := Machine{Host: host, OS: runtime.GOOS, Arch: runtime.GOARCH, Cores: runtime.NumCPU(), Go: runtime.Version()}
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.OS += " " + string(bytes.TrimSpace(release))
	}
	m.Processor = procValue("/proc/cpuinfo", "model name")
	if kb, err := strconv.Atoi(strings.TrimSuffix(procValue("/proc/meminfo", "MemTotal"), " kB")); err == nil {
		m.MemoryMB = kb / 1024
	}
	return m
}

// procValue is the value of the first line of the form "name : value".
func procValue(file, name string) string {
	data, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(data)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
