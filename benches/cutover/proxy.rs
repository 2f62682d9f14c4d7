//! The proxies: how the example's snippet for each is installed on a host.

use crate::host::Host;

/// A proxy in front of `current/run/app.sock`.
pub struct Proxy {
    pub name: &'static str,
    /// Whether every server is tried behind it.
    pub is_for_every_server: bool,
    /// Changes to the example's snippets, in a copy of its directory.
    edit: &'static str,
    /// As root, in that copy.
    install: &'static str,
}

const NGINX: &str = "
    rm -f /etc/nginx/sites-enabled/default
    usermod --append --groups deploy www-data
    install -m 0644 nginx.conf /etc/nginx/conf.d/myapp.conf
    systemctl restart nginx";

impl Proxy {
    /// All of them.
    pub const ALL: &[Proxy] = &[
        Proxy {
            name: "nginx",
            is_for_every_server: true,
            edit: "",
            install: NGINX,
        },
        Proxy {
            name: "nginx-keepalive",
            is_for_every_server: true,
            edit: "sed -i -e \"s/''      close/''      ''/\" -e '/server unix:/a keepalive 8; keepalive_time 1s; keepalive_timeout 1s;' nginx.conf",
            install: NGINX,
        },
        Proxy {
            name: "haproxy",
            is_for_every_server: false,
            edit: "",
            install: "
                install -m 0644 haproxy.cfg /etc/haproxy/haproxy.cfg
                systemctl restart haproxy",
        },
        Proxy {
            name: "caddy",
            is_for_every_server: false,
            edit: "",
            install: "
                usermod --append --groups deploy caddy
                install -m 0644 Caddyfile /etc/caddy/Caddyfile
                systemctl restart caddy",
        },
    ];

    /// nginx as the example has it.
    pub fn of_the_example() -> &'static Proxy {
        &Proxy::ALL[0]
    }

    /// Installs its configuration and starts it.
    pub fn install(&self, host: &Host) {
        host.sh(&format!(
            "cp -r /opt/examples/instance /root/proxy; cd /root/proxy\n{}\n{}",
            self.edit, self.install
        ));
    }
}
