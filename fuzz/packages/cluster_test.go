//go:build linux

package packages

import (
	"bytes"
	"errors"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

// program is farmstate for this system.
var program = sync.OnceValues(func() (string, error) {
	path := filepath.Join(work, "farmstate")
	return path, goRun(top, nil, "build", "-o", path, "./cmd/farmstate")
})

// object is what the test looks at in an object of Kubernetes. What it does not name may be there, too.
type object struct {
	Kind     string
	Metadata struct{ Name string }
	Spec     struct {
		Selector    yaml.Node
		ServiceName string `yaml:"serviceName"`
		ClusterIP   string `yaml:"clusterIP"`
		Ports       []port
		Replicas    int
		Template    struct {
			Metadata struct{ Labels map[string]string }
			Spec     struct {
				Grace      int `yaml:"terminationGracePeriodSeconds"`
				Containers []struct {
					Args      []string
					Ports     []port
					Readiness probe `yaml:"readinessProbe"`
					Liveness  probe `yaml:"livenessProbe"`
					Lifecycle struct {
						PreStop struct{ Exec struct{ Command []string } } `yaml:"preStop"`
					}
					Resources struct{ Limits struct{ Memory string } }
					Mounts    []struct {
						Path string `yaml:"mountPath"`
					} `yaml:"volumeMounts"`
				}
			}
		}
	}
}

type port struct {
	Name          string
	Port          int
	TargetPort    string `yaml:"targetPort"`
	ContainerPort int    `yaml:"containerPort"`
	Protocol      string
}

type probe struct {
	Get struct{ Path, Port string } `yaml:"httpGet"`
}

// readObjects returns the objects of the file for Kubernetes by kind and name.
func readObjects(t *testing.T) map[string]object {
	t.Helper()
	all := map[string]object{}
	for d := yaml.NewDecoder(bytes.NewReader(read(t, packaging, "kubernetes.yaml"))); ; {
		var o object
		err := d.Decode(&o)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all[o.Kind+" "+o.Metadata.Name] = o
	}
}

// TestKubernetes: each option is one of the program's, and what has to agree does.
func TestKubernetes(t *testing.T) {
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	all := readObjects(t)
	set := all["StatefulSet farmstate"]
	if len(all) != 4 || set.Spec.Replicas != 3 || len(set.Spec.Template.Spec.Containers) != 1 {
		t.Fatalf("%d objects, %d replicas", len(all), set.Spec.Replicas)
	}
	c := set.Spec.Template.Spec.Containers[0]
	ports := map[string]port{} // of the container, by name
	for _, p := range c.Ports {
		ports[p.Name] = p
	}

	// The options are accepted together.
	secret := filepath.Join(t.TempDir(), "secret")
	write(t, secret, "a secret for nodes under test, long enough\n")
	tokenFile, token := filepath.Join(t.TempDir(), "token"), ""
	write(t, tokenFile, strings.Repeat("0123456789abcdef", 4)+"\n")
	flags := map[string]string{}
	var args []string
	for _, a := range c.Args[1:] {
		name, value, _ := strings.Cut(a, "=")
		flags[name] = value
		if name == "--peer-secret-file" {
			if !strings.HasPrefix(value, c.Mounts[0].Path+"/") {
				t.Errorf("%s is not where the secret is mounted", a)
			}
			a = name + "=" + secret
		}
		if name == "--admin-token-file" {
			token, a = value, name+"="+tokenFile
		}
		args = append(args, strings.ReplaceAll(a, "$(POD_IP)", "10.1.2.3"))
	}
	if c.Args[0] != "serve" {
		t.Errorf("runs %q", c.Args)
	}
	output(t, path, append([]string{"config", "print"}, args...)...)

	// The ports are those of the options.
	for flag, name := range map[string]string{"--listen": "state", "--peer-listen": "peer", "--gossip-listen": "gossip", "--admin": "admin"} {
		if want := ":" + strconv.Itoa(ports[name].ContainerPort); flags[flag] != want {
			t.Errorf("%s is %q, and port %s %s", flag, flags[flag], name, want)
		}
	}
	if ports["gossip-udp"].ContainerPort != ports["gossip"].ContainerPort || ports["gossip-udp"].Protocol != "UDP" {
		t.Error("gossip has no port for packets")
	}
	for flag, name := range map[string]string{"--peer-advertise": "peer", "--gossip-advertise": "gossip"} {
		if want := "$(POD_IP):" + strconv.Itoa(ports[name].ContainerPort); flags[flag] != want {
			t.Errorf("%s is %q, want %q", flag, flags[flag], want)
		}
	}
	if c.Readiness.Get.Path != "/readyz?except=copies" || c.Liveness.Get.Path != "/healthz" || c.Readiness.Get.Port != "admin" || c.Liveness.Get.Port != "admin" {
		t.Errorf("probes: %+v, %+v", c.Readiness, c.Liveness)
	}
	for name, o := range all {
		for _, p := range o.Spec.Ports {
			if target, ok := ports[p.TargetPort]; !ok || target.ContainerPort != p.Port || target.Protocol != p.Protocol {
				t.Errorf("%s: port %+v leads nowhere", name, p)
			}
		}
	}

	// Nodes find each other by the service without an address of its own.
	nodes := all["Service "+set.Spec.ServiceName]
	if nodes.Spec.ClusterIP != "None" || flags["--join"] != nodes.Metadata.Name+":"+strconv.Itoa(ports["gossip"].ContainerPort) {
		t.Errorf("joins %s; the service is %q", flags["--join"], nodes.Metadata.Name)
	}

	// A stop has the time that it takes.
	command := c.Lifecycle.PreStop.Exec.Command
	if !slices.Equal(command[:2], []string{"/farmstate", "drain"}) {
		t.Fatalf("before a stop: %q", command)
	}
	help := output(t, path, "help", "drain")
	takes := duration(t, flags["--shutdown-timeout"])
	for _, a := range command[2:] {
		name, value, _ := strings.Cut(a, "=")
		if !strings.Contains(help, name) {
			t.Errorf("drain has no %s", name)
		}
		if name == "--token-file" && value != token {
			t.Errorf("the drain has the token %s, and the node %q", value, token)
		}
		if name == "--timeout" {
			takes += duration(t, value)
		}
	}
	if grace := time.Duration(set.Spec.Template.Spec.Grace) * time.Second; grace < takes+10*time.Second {
		t.Errorf("a stop takes %v, and has %v", takes, grace)
	}

	// Memory: what docs/operations.md adds up.
	most, _ := strings.CutSuffix(flags["--max-memory"], "GiB")
	limit, _ := strings.CutSuffix(c.Resources.Limits.Memory, "Mi")
	if number(t, limit) < (number(t, most)+1)*1024 {
		t.Errorf("max_memory of %s GiB does not fit into %s MiB", most, limit)
	}
}

func duration(t *testing.T, text string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestContainer: the container file has all that the program is built of, and names the ports.
func TestContainer(t *testing.T) {
	file := string(read(t, packaging, "Containerfile"))
	list := output(t, "go", "list", "-deps", "-f", "{{if .Module}}{{if .Module.Main}}{{.ImportPath}}{{end}}{{end}}", "github.com/farmstate/farmstate/cmd/farmstate")
	for pkg := range strings.FieldsSeq(list) {
		dir, _, _ := strings.Cut(strings.TrimPrefix(pkg, "github.com/farmstate/farmstate/"), "/")
		if !strings.Contains(file, "\nCOPY "+dir+" "+dir+"\n") {
			t.Errorf("%s is not copied", pkg)
		}
	}
	for _, p := range readObjects(t)["StatefulSet farmstate"].Spec.Template.Spec.Containers[0].Ports {
		protocol := "tcp"
		if p.Protocol != "" {
			protocol = strings.ToLower(p.Protocol)
		}
		if !regexp.MustCompile(`(?m)^EXPOSE.* ` + strconv.Itoa(p.ContainerPort) + "/" + protocol + `\b`).MatchString(file) {
			t.Errorf("port %d/%s is not exposed", p.ContainerPort, protocol)
		}
	}
	goMod := string(read(t, top, "go.mod"))
	_, needs, _ := strings.Cut(goMod, "\ngo ")
	needs, _, _ = strings.Cut(needs, "\n")
	if has := regexp.MustCompile(`golang:(\S+) AS`).FindStringSubmatch(file); has == nil || !strings.HasPrefix(needs, has[1]+".") {
		t.Errorf("go.mod wants Go %s, the container file has %q", needs, has)
	}
}
