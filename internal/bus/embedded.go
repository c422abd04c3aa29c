package bus

import (
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// Embedded starts a NATS server of this process on address, host:port with port 0 for any, for nodes that have none beside them. It answers
// its URL; stop ends it.
func Embedded(address string) (url string, stop func(), err error) {
	at, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return "", nil, fmt.Errorf("embedded bus: %w", err)
	}
	port := at.Port
	if port == 0 {
		port = server.RANDOM_PORT
	}
	s, err := server.NewServer(&server.Options{Host: at.IP.String(), Port: port, NoSigs: true, NoLog: true})
	if err != nil {
		return "", nil, fmt.Errorf("embedded bus: %w", err)
	}
	go s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		s.Shutdown()
		return "", nil, errors.New("embedded bus: it does not start")
	}
	return s.ClientURL(), func() { s.Shutdown(); s.WaitForShutdown() }, nil
}
