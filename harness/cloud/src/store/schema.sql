-- CloudStack's tables, as far as the service uses them. A varchar's width is a CHECK: what does not
-- fit is refused here, after the service has accepted it, as CloudStack's database refuses it.
CREATE TABLE profile (name TEXT NOT NULL);
CREATE TABLE domain (
    id INTEGER PRIMARY KEY AUTOINCREMENT, uuid TEXT NOT NULL UNIQUE, name TEXT NOT NULL,
    parent INTEGER REFERENCES domain (id), path TEXT NOT NULL UNIQUE
) STRICT;
CREATE TABLE account (
    id INTEGER PRIMARY KEY AUTOINCREMENT, uuid TEXT NOT NULL UNIQUE, account_name TEXT NOT NULL, type INTEGER NOT NULL,
    domain_id INTEGER NOT NULL REFERENCES domain (id), state TEXT NOT NULL DEFAULT 'enabled', created TEXT NOT NULL,
    removed TEXT
) STRICT;
CREATE TABLE user (
    id INTEGER PRIMARY KEY AUTOINCREMENT, uuid TEXT NOT NULL UNIQUE, username TEXT NOT NULL,
    account_id INTEGER NOT NULL REFERENCES account (id), firstname TEXT NOT NULL DEFAULT '',
    lastname TEXT NOT NULL DEFAULT '', email TEXT NOT NULL DEFAULT '', state TEXT NOT NULL DEFAULT 'enabled',
    api_key TEXT UNIQUE, secret_key TEXT, created TEXT NOT NULL, removed TEXT
) STRICT;
CREATE TABLE data_center (
    id INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, name TEXT NOT NULL, networktype TEXT NOT NULL
) STRICT;
CREATE TABLE disk_offering (
    id INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, name TEXT NOT NULL, display_text TEXT NOT NULL
) STRICT;
CREATE TABLE vm_template (
    id INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, name TEXT NOT NULL, display_text TEXT NOT NULL
) STRICT;
CREATE TABLE vpc_offerings (
    id INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, name TEXT NOT NULL, display_text TEXT NOT NULL,
    state TEXT NOT NULL, "default" INTEGER NOT NULL
) STRICT;
CREATE TABLE network_offerings (
    id INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, name TEXT NOT NULL, display_text TEXT NOT NULL,
    state TEXT NOT NULL, guest_type TEXT NOT NULL, traffic_type TEXT NOT NULL,
    service_offering_id INTEGER NOT NULL REFERENCES disk_offering (id)
) STRICT;
CREATE TABLE vpc (
    id INTEGER PRIMARY KEY AUTOINCREMENT, uuid TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL, display_text TEXT NOT NULL, cidr TEXT NOT NULL, state TEXT NOT NULL,
    vpc_offering_id INTEGER NOT NULL REFERENCES vpc_offerings (id),
    zone_id INTEGER NOT NULL REFERENCES data_center (id),
    domain_id INTEGER NOT NULL REFERENCES domain (id), account_id INTEGER NOT NULL REFERENCES account (id),
    network_domain TEXT, start INTEGER NOT NULL DEFAULT 1, created TEXT NOT NULL, removed TEXT
) STRICT;
CREATE TABLE networks (
    id INTEGER PRIMARY KEY AUTOINCREMENT, uuid TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL, display_text TEXT NOT NULL, gateway TEXT NOT NULL, cidr TEXT NOT NULL, state TEXT NOT NULL,
    network_offering_id INTEGER NOT NULL REFERENCES network_offerings (id),
    data_center_id INTEGER NOT NULL REFERENCES data_center (id),
    domain_id INTEGER NOT NULL REFERENCES domain (id), account_id INTEGER NOT NULL REFERENCES account (id),
    vpc_id INTEGER NOT NULL REFERENCES vpc (id), created TEXT NOT NULL, removed TEXT
) STRICT;
CREATE TABLE user_ip_address (
    id INTEGER PRIMARY KEY AUTOINCREMENT, uuid TEXT NOT NULL UNIQUE, public_ip_address TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL, source_nat INTEGER NOT NULL DEFAULT 0, allocated TEXT,
    domain_id INTEGER REFERENCES domain (id), account_id INTEGER REFERENCES account (id),
    data_center_id INTEGER NOT NULL REFERENCES data_center (id), vpc_id INTEGER REFERENCES vpc (id)
) STRICT;
CREATE TABLE s2s_vpn_gateway (
    id INTEGER PRIMARY KEY AUTOINCREMENT, uuid TEXT NOT NULL UNIQUE,
    addr_id INTEGER NOT NULL REFERENCES user_ip_address (id), vpc_id INTEGER NOT NULL REFERENCES vpc (id),
    domain_id INTEGER NOT NULL REFERENCES domain (id), account_id INTEGER NOT NULL REFERENCES account (id),
    display INTEGER NOT NULL DEFAULT 1, removed TEXT
) STRICT;
CREATE TABLE s2s_customer_gateway (
    id INTEGER PRIMARY KEY AUTOINCREMENT, uuid TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL CHECK (length(name) <= 255),
    gateway_ip TEXT NOT NULL CHECK (length(gateway_ip) <= 40),
    guest_cidr_list TEXT NOT NULL CHECK (length(guest_cidr_list) <= 200),
    ipsec_psk TEXT CHECK (length(ipsec_psk) <= 256),
    ike_policy TEXT NOT NULL CHECK (length(ike_policy) <= 30),
    esp_policy TEXT NOT NULL CHECK (length(esp_policy) <= 30),
    ike_lifetime INTEGER NOT NULL DEFAULT 86400 CHECK (abs(ike_lifetime) <= 2147483647),
    esp_lifetime INTEGER NOT NULL DEFAULT 3600 CHECK (abs(esp_lifetime) <= 2147483647),
    dpd INTEGER NOT NULL DEFAULT 0,
    force_encap INTEGER NOT NULL DEFAULT 0,
    ike_version TEXT NOT NULL DEFAULT 'ike' CHECK (length(ike_version) <= 5),
    split_connections INTEGER NOT NULL DEFAULT 0,
    domain_id INTEGER NOT NULL REFERENCES domain (id), account_id INTEGER NOT NULL REFERENCES account (id),
    removed TEXT
) STRICT;
CREATE TABLE s2s_vpn_connection (
    id INTEGER PRIMARY KEY AUTOINCREMENT, uuid TEXT NOT NULL UNIQUE,
    vpn_gateway_id INTEGER REFERENCES s2s_vpn_gateway (id),
    customer_gateway_id INTEGER REFERENCES s2s_customer_gateway (id),
    state TEXT NOT NULL, passive INTEGER NOT NULL DEFAULT 0,
    domain_id INTEGER NOT NULL REFERENCES domain (id), account_id INTEGER NOT NULL REFERENCES account (id),
    display INTEGER NOT NULL DEFAULT 1, created TEXT NOT NULL, removed TEXT,
    -- Not CloudStack's: what the router knows the connection by. A uuid can be changed, this cannot.
    tunnel TEXT NOT NULL UNIQUE
) STRICT;
CREATE INDEX s2s_vpn_connection_vpn_gateway ON s2s_vpn_connection (vpn_gateway_id);
CREATE INDEX s2s_vpn_connection_customer_gateway ON s2s_vpn_connection (customer_gateway_id);
CREATE TABLE domain_router (
    id INTEGER PRIMARY KEY AUTOINCREMENT, uuid TEXT NOT NULL UNIQUE, name TEXT NOT NULL, state TEXT NOT NULL,
    vpc_id INTEGER NOT NULL REFERENCES vpc (id), created TEXT NOT NULL, removed TEXT
) STRICT;
CREATE TABLE user_vm (
    id INTEGER PRIMARY KEY AUTOINCREMENT, uuid TEXT NOT NULL UNIQUE, name TEXT NOT NULL, display_name TEXT NOT NULL,
    state TEXT NOT NULL, network_id INTEGER NOT NULL REFERENCES networks (id), ip_address TEXT NOT NULL,
    service_offering_id INTEGER NOT NULL REFERENCES disk_offering (id),
    template_id INTEGER NOT NULL REFERENCES vm_template (id),
    domain_id INTEGER NOT NULL REFERENCES domain (id), account_id INTEGER NOT NULL REFERENCES account (id),
    created TEXT NOT NULL, removed TEXT
) STRICT;
-- The last reading of a router's counters of a connection.
CREATE TABLE vpn_counter (
    connection_id INTEGER PRIMARY KEY REFERENCES s2s_vpn_connection (id),
    sent INTEGER NOT NULL, received INTEGER NOT NULL
) STRICT;
-- One row for each connection and day, in UTC.
CREATE TABLE cloud_usage (
    connection_id INTEGER NOT NULL REFERENCES s2s_vpn_connection (id), day TEXT NOT NULL,
    sent INTEGER NOT NULL, received INTEGER NOT NULL, PRIMARY KEY (connection_id, day)
) STRICT;
CREATE TABLE async_job (
    id INTEGER PRIMARY KEY AUTOINCREMENT, uuid TEXT NOT NULL UNIQUE,
    user_id INTEGER NOT NULL REFERENCES user (id), account_id INTEGER NOT NULL REFERENCES account (id),
    instance_type TEXT, instance_id INTEGER, job_cmd TEXT NOT NULL, job_cmd_info TEXT,
    job_status INTEGER NOT NULL, job_process_status INTEGER NOT NULL DEFAULT 0,
    job_result_code INTEGER NOT NULL DEFAULT 0, job_result TEXT, created TEXT NOT NULL, last_updated TEXT
) STRICT;
CREATE TABLE event (
    id INTEGER PRIMARY KEY AUTOINCREMENT, uuid TEXT NOT NULL UNIQUE, type TEXT NOT NULL, state TEXT NOT NULL,
    description TEXT NOT NULL, user_id INTEGER NOT NULL REFERENCES user (id),
    account_id INTEGER NOT NULL REFERENCES account (id), domain_id INTEGER NOT NULL REFERENCES domain (id),
    created TEXT NOT NULL, level TEXT NOT NULL, start_id INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE alert (
    id INTEGER PRIMARY KEY AUTOINCREMENT, uuid TEXT NOT NULL UNIQUE, type INTEGER NOT NULL,
    data_center_id INTEGER NOT NULL, subject TEXT NOT NULL, sent_count INTEGER NOT NULL DEFAULT 1,
    created TEXT NOT NULL, last_sent TEXT NOT NULL
) STRICT;
-- What a sweep of the monitor needs of these tables is in their indices.
CREATE INDEX networks_vpc ON networks (vpc_id, state, removed);
CREATE INDEX user_ip_address_vpc ON user_ip_address (vpc_id);
CREATE INDEX s2s_vpn_gateway_vpc ON s2s_vpn_gateway (vpc_id, removed);
CREATE INDEX domain_router_vpc ON domain_router (vpc_id, removed, state);
CREATE INDEX user_vm_network ON user_vm (network_id);
CREATE INDEX user_account ON user (account_id);
-- What lists filter and count. `removed` is in them so that counting never touches the table, and it is
-- last so that rows of an account come in the order of their ids.
CREATE INDEX vpc_owner ON vpc (account_id, removed) WHERE removed IS NULL;
CREATE INDEX networks_owner ON networks (account_id, removed) WHERE removed IS NULL;
CREATE INDEX s2s_vpn_gateway_owner ON s2s_vpn_gateway (account_id, removed) WHERE removed IS NULL;
CREATE INDEX s2s_customer_gateway_owner ON s2s_customer_gateway (account_id, removed) WHERE removed IS NULL;
CREATE INDEX s2s_vpn_connection_owner ON s2s_vpn_connection (account_id, removed) WHERE removed IS NULL;
CREATE INDEX async_job_account ON async_job (account_id);
CREATE INDEX event_account ON event (account_id);
CREATE INDEX s2s_customer_gateway_address ON s2s_customer_gateway (gateway_ip) WHERE removed IS NULL;
CREATE INDEX s2s_customer_gateway_name ON s2s_customer_gateway (account_id, name COLLATE NOCASE)
    WHERE removed IS NULL;
CREATE INDEX user_ip_address_free ON user_ip_address (id) WHERE state = 'Free';
