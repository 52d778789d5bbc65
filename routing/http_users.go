package routing

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"sluice/internal/label"
)

// User is somebody who may pass with a password.
type User struct {
	Name      string
	Password  string `json:"-"` // the password itself, or its crypt(3) hash
	Encrypted bool
}

// Auth says who may pass. The zero value lets everybody pass and leaves the Authorization header to the tasks.
type Auth struct {
	List  string // name of the userlist; "" for none
	Realm string
	Users []User
}

// globalUsers is the userlist of USERS.
const globalUsers = "users"

// secretPrefix stands in front of what usersSecret says in the names of Docker secrets.
const secretPrefix = "dfp_users_"

var userLabels = []label.Spec{
	{Name: "users", Kind: label.Text, Indexed: true, Example: "admin:password,joe:x",
		Doc: "`user:password`, several with commas: only they are served, by basic authentication; tasks never see the Authorization header. They replace the proxy's USERS. A name without a password takes it from usersSecret or USERS; where neither has one that user gets 401."},
	{Name: "usersPassEncrypted", Kind: label.Bool, Indexed: true, Default: "false", Example: "true",
		Doc: "The passwords of users and usersSecret are hashes of crypt(3), as `openssl passwd -6` makes them."},
	{Name: "usersSecret", Kind: label.Text, Indexed: true, Example: "monitoring", Check: checkSecretName,
		Doc: "Users from the Docker secret `dfp_users_<value>` of the proxy: `user:password`, several with commas or on lines of their own. While the proxy does not have it, everybody gets 401, which is reported."},
	{Name: "ignoreAuthorization", Kind: label.Bool, Indexed: true, Default: "false", Example: "true",
		Doc: "This destination is served without a password, and gets the Authorization header."},
}

func checkSecretName(value any) error {
	if name := value.(string); name == "" || strings.ContainsFunc(name, func(r rune) bool { return !isWord(r) }) {
		return fmt.Errorf("is not the name of a secret")
	}
	return nil
}

func (r *httpReader) auth() Auth {
	own := r.g.Has("users") || r.g.Has("usersSecret")
	switch {
	case r.g.Bool("ignoreAuthorization") || !own && len(r.opts.Users) == 0:
		return Auth{}
	case !own:
		r.origins["users"] = "USERS"
		return Auth{List: globalUsers, Realm: "defaultRealm", Users: r.opts.Users}
	}
	users, culprit, err := r.users()
	if err != nil {
		// the value may hold passwords, so the problem does not repeat it
		r.problems = append(r.problems, label.Problem{Service: r.service.Name, Label: r.g.Key(culprit), Value: "…", Reason: err.Error()})
	}
	list := r.service.Name + ":users"
	for _, name := range []string{"users", "usersPassEncrypted", "usersSecret"} {
		if r.g.Has(name) && r.g.Key(name) != label.Prefix+name {
			list = fmt.Sprintf("%s:users.%d", r.service.Name, r.g.Index())
		}
	}
	return Auth{List: list, Realm: r.service.shown(r.g) + "Realm", Users: users}
}

// users reads the service's own users. In an error it names the label that it is about.
func (r *httpReader) users() (users []User, culprit string, err error) {
	encrypted := r.g.Bool("usersPassEncrypted")
	var secret []User
	name := r.g.Text("usersSecret")
	unknown := name != "" && r.opts.Secrets == nil
	if name != "" && !unknown {
		content, exists := r.opts.Secrets[secretPrefix+name]
		if !exists {
			r.lack("usersSecret", fmt.Sprintf("names the secret %s%s, which the proxy does not have: nobody in it may pass", secretPrefix, name))
		} else if secret, err = ParseUsers(content, encrypted); err != nil {
			r.lack("usersSecret", fmt.Sprintf("names a secret that %v: nobody in it may pass", err))
			secret = nil
		}
	}
	if !r.g.Has("users") {
		return secret, "", nil
	}
	if users, err = parseUsers(r.g.Text("users"), encrypted); err != nil {
		return nil, "users", err
	}
	if unknown { // nobody may pass by a password that is not known here
		return slices.DeleteFunc(users, func(u User) bool { return u.Password == "" }), "", nil
	}
	for i, u := range users {
		if u.Password != "" {
			continue
		}
		known := slices.Concat(secret, r.opts.Users)
		same := slices.IndexFunc(known, func(k User) bool { return k.Name == u.Name })
		if same >= 0 {
			users[i] = known[same]
		} else if len(r.noted) == 0 { // or it is said already why
			// its name is not repeated: it may be a password whose user was forgotten
			r.lack("users", fmt.Sprintf("has a user without a password (number %d), and neither usersSecret nor USERS has one: that user may not pass", i+1))
		}
	}
	return slices.DeleteFunc(users, func(u User) bool { return u.Password == "" }), "", nil
}

// lack notes that the proxy lacks passwords. The destination is routed all the same, as in Docker Flow Proxy: who is not
// known gets 401 from it, and not what the next best route has.
func (r *httpReader) lack(name, reason string) {
	// the value may hold passwords, so the problem does not repeat it
	r.noted = append(r.noted, label.Problem{Service: r.service.Name, Label: r.g.Key(name), Value: "…", Reason: reason})
}

// ParseUsers reads `user:password`, several with commas or on lines of their own. The error reads after what held them
// and repeats no password.
func ParseUsers(text string, encrypted bool) ([]User, error) {
	users, err := parseUsers(text, encrypted)
	for i, u := range users {
		if u.Password == "" {
			return nil, fmt.Errorf("has a user without a password (number %d)", i+1)
		}
	}
	return users, err
}

// parseUsers leaves it to the caller what a user without a password is.
func parseUsers(text string, encrypted bool) (users []User, err error) {
	for item := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ',' || r == '\n' || r == '\r' }) {
		name, password, _ := strings.Cut(strings.TrimSpace(item), ":")
		switch {
		case name == "" && password == "":
			continue
		case name == "":
			return nil, fmt.Errorf("has a password without a user")
		case len(item) > 512 || strings.ContainsFunc(item, func(r rune) bool { return r < 0x20 || r == 0x7f }):
			return nil, fmt.Errorf("has a user with a control character or of more than 512 bytes")
		case slices.ContainsFunc(users, func(u User) bool { return u.Name == name }):
			return nil, fmt.Errorf("has the user %q twice", name)
		case encrypted && password != "" && !isHash(password):
			return nil, fmt.Errorf("has for the user %q no hash of crypt(3) such as openssl passwd -6 makes, or one that takes too long to check", name)
		}
		users = append(users, User{Name: name, Password: password, Encrypted: encrypted})
	}
	if len(users) == 0 {
		return nil, fmt.Errorf("names no user")
	}
	return users, nil
}

var (
	shaForm    = regexp.MustCompile(`^\$[56]\$(rounds=(\d{4,6})\$)?[./A-Za-z0-9]{1,16}\$[./A-Za-z0-9]{43,86}$`)
	bcryptForm = regexp.MustCompile(`^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$`)
	md5Form    = regexp.MustCompile(`^\$1\$[./A-Za-z0-9]{1,8}\$[./A-Za-z0-9]{22}$`)
)

// isHash knows the hashes of crypt(3) that HAProxy can check. HAProxy computes them in the thread that serves requests,
// so those that were made to take long would stop everybody's.
func isHash(text string) bool {
	if m := shaForm.FindStringSubmatch(text); m != nil {
		rounds, _ := strconv.Atoi(m[2])
		return rounds <= 20_000
	}
	if m := bcryptForm.FindStringSubmatch(text); m != nil {
		cost, _ := strconv.Atoi(m[1])
		return cost <= 8
	}
	return md5Form.MatchString(text)
}

// userlist is a userlist section of haproxy.cfg.
type userlist struct {
	Auth
	Origin string // the comment behind its lines
}

// userlists gives each list once, in the order of their names.
func userlists(backends []Backend) (lists []userlist) {
	there := map[string]bool{"": true}
	for _, b := range backends {
		if a := b.HTTP.Auth; !there[a.List] {
			there[a.List] = true
			lists = append(lists, userlist{Auth: a, Origin: httpOrigin(b, "users", "usersSecret")})
		}
	}
	slices.SortFunc(lists, func(a, b userlist) int { return cmp.Compare(a.List, b.List) })
	return lists
}
