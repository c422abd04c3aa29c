package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// readyCommand is the health check of images that have no other program in them.
func readyCommand() *cobra.Command {
	c := &cobra.Command{Use: "ready", Short: "Ask the server on this machine whether it may serve", Args: cobra.NoArgs}
	address := c.Flags().String("url", "", "address of the server (default: ROLLCALL_URL, else that of ROLLCALL_LISTEN)")
	c.RunE = func(c *cobra.Command, _ []string) error {
		ctx, cancel := context.WithTimeout(c.Context(), 3*time.Second)
		defer cancel()
		request, err := http.NewRequestWithContext(ctx, "GET", cmp.Or(*address, os.Getenv("ROLLCALL_URL"), localURL(os.Getenv(envPrefix+"LISTEN")))+"/readyz", nil)
		if err != nil {
			return err
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(io.LimitReader(answer.Body, 4<<10))
		if err != nil {
			return err
		}
		said := strings.TrimSpace(string(text))
		if answer.StatusCode != http.StatusOK {
			return errors.New(said)
		}
		fmt.Fprintln(c.OutOrStdout(), said)
		return nil
	}
	return c
}

// localURL is where a server that listens there is reached from this machine.
func localURL(listen string) string {
	host, port, err := net.SplitHostPort(cmp.Or(listen, defaults().Listen))
	if err != nil {
		return "http://" + listen
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}
