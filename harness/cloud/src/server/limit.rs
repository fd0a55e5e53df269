//! How much a client may send, and how long it may take: one that wants more is refused, or its connection ends.
//!
//! Together they bound the memory that clients can make the service hold: connections times heads and small
//! bodies, and a few large bodies more.

use std::time::Duration;

/// Connections at once. Further ones wait in the listener's queue until one of these ends.
pub(super) const CONNECTIONS: usize = 512;

/// Bytes of a request line with its headers. CloudStack has half of it, which a long GET can exceed. The number of
/// headers is bounded too, by hyper: 100.
pub(super) const HEAD: usize = 16 * 1024;

/// Bytes of a body: CloudStack's `request.content.size`.
pub(super) const BODY: usize = 1024 * 1024;

/// Bytes of a body that every connection may hold. Those above take one of [`LARGE_BODIES`] places.
pub(super) const SMALL_BODY: usize = 16 * 1024;

pub(super) const LARGE_BODIES: usize = 16;

/// Parameters of a request, in query and body together: CloudStack's `request.max.form.keys`.
pub(super) const PARAMETERS: usize = 5_000;

/// For a head, counted from the end of the answer before; so also how long a connection may be idle. It has to be
/// longer than clients keep idle connections for use.
pub(super) const HEAD_TIME: Duration = Duration::from_secs(30);

/// For a whole body.
pub(super) const BODY_TIME: Duration = Duration::from_secs(30);

/// For a client that takes nothing of its answer.
pub(super) const STALLED: Duration = Duration::from_secs(30);

/// For a client that was refused while it was still sending, so that it can read why before the connection is gone.
pub(super) const LINGER: Duration = Duration::from_secs(2);
