package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	strict "sigs.k8s.io/yaml"
)

// rendered are the objects of the chart, by kind and name.
type rendered map[string]any

// render has Helm render the chart with these values, and reads each object as the type that Kubernetes has for it, without a field it does not know.
func render(t *testing.T, values string) (rendered, error) {
	t.Helper()
	chart, err := loader.LoadDir("../helm/rollcall")
	if err != nil {
		t.Fatal(err)
	}
	given, err := chartutil.ReadValues([]byte(values))
	if err != nil {
		t.Fatal(err)
	}
	capabilities := chartutil.DefaultCapabilities.Copy()
	capabilities.KubeVersion = chartutil.KubeVersion{Version: "v1.30.0", Major: "1", Minor: "30"}
	all, err := chartutil.ToRenderValues(chart, given, chartutil.ReleaseOptions{Name: "chat", Namespace: "people", Revision: 1, IsInstall: true}, capabilities)
	if err != nil {
		return nil, err
	}
	files, err := engine.Render(chart, all)
	if err != nil {
		return nil, err
	}
	out := rendered{}
	for name, text := range files {
		if !strings.HasSuffix(name, ".yaml") {
			continue
		}
		for documents := yaml.NewDocumentDecoder(io.NopCloser(strings.NewReader(text))); ; {
			one := make([]byte, 1<<20)
			n, err := documents.Read(one)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			var head struct {
				Kind     string
				Metadata struct{ Name string }
			}
			if err := strict.Unmarshal(one[:n], &head); err != nil {
				t.Fatalf("%s: %v\n%s", name, err, one[:n])
			}
			types := map[string]any{"ConfigMap": &core.ConfigMap{}, "Service": &core.Service{}, "StatefulSet": &apps.StatefulSet{}, "PodDisruptionBudget": &policy.PodDisruptionBudget{}, "Ingress": &networking.Ingress{}}
			object := types[head.Kind]
			if object == nil {
				if len(bytes.TrimSpace(one[:n])) == 0 {
					continue
				}
				t.Fatalf("%s: kind %q", name, head.Kind)
			}
			if err := strict.UnmarshalStrict(one[:n], object); err != nil {
				t.Fatalf("%s: %v\n%s", name, err, one[:n])
			}
			out[head.Kind+"/"+head.Metadata.Name] = object
		}
	}
	return out, nil
}

const everything = `
publicURL: https://chat.example.com
secret: rollcall
secretKeys: {openfgaToken: openfga}
replicas: 5
image: {repository: registry.example.com/rollcall, tag: v1.2.3}
imagePullSecrets: [{name: pull}]
openfga: {url: "http://openfga:8080"}
config:
  log: {level: warn}
  oidc: {issuer: "https://id.example.com", client_id: rollcall, client_secret_file: /run/secrets/rollcall/oidc}
  sign_in: {trusted_proxies: [10.0.0.0/8]}
service: {type: LoadBalancer, port: 8080, annotations: {a: b}}
ingress: {enabled: true, className: nginx, tlsSecret: tls, annotations: {c: d}}
podAnnotations: {e: f}
nodeSelector: {disk: ssd}
tolerations: [{key: k, operator: Exists}]
affinity: {nodeAffinity: {}}
priorityClassName: high
extraVolumes: [{name: more, configMap: {name: more}}]
extraVolumeMounts: [{name: more, mountPath: /etc/more}]
`

// What the chart makes is what Kubernetes takes, and what a node is started with there is a configuration that the binary takes.
func TestChart(t *testing.T) {
	binary, err := filepath.Abs("../../bin/rollcall")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(binary); err != nil {
		t.Skip("needs the binary: make build")
	}
	for values, want := range map[string][]string{
		"publicURL: https://chat.example.com\nsecret: rollcall": {"ConfigMap/chat-rollcall", "PodDisruptionBudget/chat-rollcall", "Service/chat-rollcall", "Service/chat-rollcall-nodes", "StatefulSet/chat-rollcall"},
		everything: {"ConfigMap/chat-rollcall", "Ingress/chat-rollcall", "PodDisruptionBudget/chat-rollcall", "Service/chat-rollcall", "Service/chat-rollcall-nodes", "StatefulSet/chat-rollcall"},
	} {
		all, err := render(t, values)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for name := range all {
			got = append(got, name)
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("it makes %v", got)
		}
		nodes := all["StatefulSet/chat-rollcall"].(*apps.StatefulSet)
		pod := nodes.Spec.Template.Spec
		for label, value := range nodes.Spec.Selector.MatchLabels {
			if nodes.Spec.Template.Labels[label] != value {
				t.Errorf("the pods have no label %s=%s", label, value)
			}
		}
		if nodes.Spec.ServiceName != "chat-rollcall-nodes" || all["Service/chat-rollcall-nodes"].(*core.Service).Spec.ClusterIP != core.ClusterIPNone {
			t.Error("nodes have no names of their own")
		}
		if c := pod.Containers[0].SecurityContext; !*pod.SecurityContext.RunAsNonRoot || !*c.ReadOnlyRootFilesystem || *c.AllowPrivilegeEscalation || !slices.Equal(c.Capabilities.Drop, []core.Capability{"ALL"}) || *pod.AutomountServiceAccountToken {
			t.Error("a node may more than it needs")
		}
		checkConfig(t, binary, all["ConfigMap/chat-rollcall"].(*core.ConfigMap).Data["rollcall.yaml"], pod.Containers[0].Env)
	}
}

// checkConfig has the binary check what a node would be started with; its secrets stand in a folder of the test's.
func checkConfig(t *testing.T, binary, text string, variables []core.EnvVar) {
	t.Helper()
	dir := t.TempDir()
	here := strings.NewReplacer("/run/secrets/rollcall", dir, "$(POD_NAME)", "chat-rollcall-0", "$(POD_NAMESPACE)", "people")
	for name, secret := range map[string]string{"database": "postgres://rollcall:canary@db.example.com/rollcall?sslmode=verify-full", "bus": "nats://rollcall:canary@nats.example.com:4222",
		"bootstrap-token": "canary-bootstrap-token", "openfga": "canary", "oidc": "canary"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(secret), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "rollcall.yaml")
	if err := os.WriteFile(path, []byte(here.Replace(text)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"config", "check"}, {"config", "print"}} {
		run := exec.Command(binary, append(args, "--config", path)...)
		for _, v := range variables {
			if v.ValueFrom == nil {
				run.Env = append(run.Env, v.Name+"="+here.Replace(v.Value))
			}
		}
		out, err := run.CombinedOutput()
		if err != nil {
			t.Errorf("%v: %v\n%s", args, err, out)
		}
		if args[1] == "print" {
			for _, want := range []string{"https://chat.example.com", "node: chat-rollcall-0", "http://chat-rollcall-0.chat-rollcall-nodes.people.svc:8480"} {
				if !strings.Contains(string(out), want) {
					t.Errorf("%s is not in force:\n%s", want, out)
				}
			}
		}
		if strings.Contains(string(out), "canary") {
			t.Errorf("%v shows a secret", args)
		}
	}
}

// What cannot be is refused before anything is made, by the name of the value.
func TestChartRefuses(t *testing.T) {
	for values, want := range map[string]string{
		"secret: rollcall": "publicURL",
		"publicURL: chat.example.com\nsecret: rollcall":                                                    "publicURL",
		"publicURL: https://chat.example.com":                                                              "secret",
		"publicURL: https://chat.example.com\nsecret: rollcall\nsecretKeys: {bus: ''}":                     "several nodes need NATS",
		"publicURL: https://chat.example.com\nsecret: rollcall\nreplica: 2":                                "replica",
		"publicURL: https://chat.example.com\nsecret: rollcall\nconfig: {database: 'postgres://x:y@db/z'}": "config.database",
	} {
		if _, err := render(t, values); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", values, err)
		}
	}
}
