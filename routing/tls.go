package routing

// HTTPEntry is an address at which HAProxy takes requests.
type HTTPEntry struct {
	Address string // as a bind line has it: "*:80", "127.0.0.1:7080"
	Port    int
	TLS     bool
}

// TLS says how entries end TLS. Without a certificate they are plain.
type TLS struct {
	// Certificates of the operator; the first one answers clients that name no host, or one that no certificate covers.
	// Those of services (serviceCert) stand in the Table and come after them.
	Certificates []Certificate
}

// Certificate is a certificate with its chain and its private key.
type Certificate struct {
	Name  string   // of its file, stable over renewals: "a.test.pem"
	PEM   []byte   // certificates, the leaf first, and the key
	Hosts []string // whom it is for, as crt-list filters; nil: whom the certificate itself names
	// Origin says where it came from, for comments and explain: a file, or the service and its label.
	Origin string
}
