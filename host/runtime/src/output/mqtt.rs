//! MQTT 3.1.1: a message for each line, and none that is taken for sent before the broker or TCP has it.

use std::{
    future::Future,
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use rumqttc::{AsyncClient, ConnectionError, Event, EventLoop, MqttOptions, Outgoing, Packet, QoS};
use tokio::{
    runtime::{Builder, Runtime},
    time::timeout,
};

use super::sink::{Line, MqttSink, Stopped, Then, Writer, secret};

/// Most messages under way at once.
const WINDOW: u16 = 16;
/// Silence after which the broker is asked whether it is there.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// Most events that are read between two lines.
const AT_ONCE: u32 = 1000;
/// The most that fits into a packet, less its header.
const MOST: usize = 268_435_455 - 2 - 65_535 - 2;

/// A broker, connected when there is something to send.
pub(super) struct Broker {
    runtime: Runtime,
    options: MqttOptions,
    topic: String,
    qos: QoS,
    /// `None` after an error. What the client still held is then with whoever gave it, to be sent again.
    connection: Option<(AsyncClient, EventLoop)>,
}

/// Reads what is needed to talk to the broker; does not talk to it yet.
pub(super) fn open(sink: &MqttSink) -> Result<Broker, String> {
    // An address of IPv6 is told from its port by brackets.
    let host = if sink.host.contains(':') && !sink.host.starts_with('[') {
        format!("[{}]", sink.host)
    } else {
        sink.host.clone()
    };
    let mut options = MqttOptions::new(&sink.client_id, host, sink.port);
    options
        .set_keep_alive(KEEP_ALIVE)
        .set_inflight(WINDOW)
        .set_pending_throttle(Duration::ZERO)
        .set_max_packet_size(64 << 10, MOST + 65_535 + 4);
    if let Some(path) = &sink.login {
        let mut lines = secret(path)?.into_iter();
        let Some(user) = lines.next().filter(|user| !user.is_empty()) else {
            return Err(format!("{}: it has no name of a user", path.display()));
        };
        options.set_credentials(user, lines.next().unwrap_or_default());
    }
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e: io::Error| e.to_string())?;
    Ok(Broker {
        runtime,
        options,
        topic: sink.topic.clone(),
        qos: if sink.acknowledged {
            QoS::AtLeastOnce
        } else {
            QoS::AtMostOnce
        },
        connection: None,
    })
}

/// The next event, which must come before a time.
async fn event(events: &mut EventLoop, until: Instant) -> Result<Event, String> {
    in_time(until, events.poll()).await?.map_err(|error| {
        if let ConnectionError::Io(error) = error {
            return error.to_string();
        }
        error.to_string()
    })
}

/// A future's result, if it comes before a time; not even one that is there already comes after it, so that
/// a broker that never stops to talk does not hold anybody up.
async fn in_time<T>(until: Instant, future: impl Future<Output = T>) -> Result<T, String> {
    let late = || "the broker does not answer".to_owned();
    let left = until.checked_duration_since(Instant::now());
    timeout(left.ok_or_else(late)?, future)
        .await
        .map_err(|_| late())
}

/// Lets the connection read what has come and send the pings that are due.
async fn catch_up(events: &mut EventLoop) -> Result<(), String> {
    for _ in 0..AT_ONCE {
        if events.network.is_none() {
            break;
        }
        match timeout(Duration::ZERO, events.poll()).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Err(error.to_string()),
            Err(_) => break,
        }
    }
    Ok(())
}

impl Broker {
    /// Sends lines; `done` says how many of them, from the first, have arrived.
    async fn send(
        &self,
        (client, events): &mut (AsyncClient, EventLoop),
        lines: &[Arc<Line>],
        until: Instant,
        done: &mut usize,
    ) -> Result<(), (String, Then)> {
        let again = |what| (what, Then::Again);
        // A connection that the broker has closed would take a message and lose it.
        catch_up(events).await.map_err(again)?;
        while events.network.is_none() {
            event(events, until).await.map_err(again)?;
        }
        let (mut sent, mut arrived) = (vec![], vec![false; lines.len()]);
        let mut asked = 0;
        while *done < lines.len() {
            if asked < lines.len() && asked == sent.len() {
                let content = lines[asked].content();
                if content.len() > MOST {
                    if asked == *done {
                        return Err((
                            "it is too long for a message of MQTT".to_owned(),
                            Then::Next,
                        ));
                    }
                } else {
                    client
                        .try_publish(&*self.topic, self.qos, false, content)
                        .map_err(|error| again(error.to_string()))?;
                    asked += 1;
                }
            }
            match event(events, until).await.map_err(again)? {
                Event::Outgoing(Outgoing::Publish(id)) => {
                    if let Some(arrived) = arrived.get_mut(sent.len()) {
                        *arrived = self.qos == QoS::AtMostOnce;
                    }
                    sent.push(id);
                }
                Event::Incoming(Packet::PubAck(ack)) => {
                    let place = sent.iter().position(|id| *id == ack.pkid);
                    if let Some(arrived) = place.and_then(|i| arrived.get_mut(i)) {
                        *arrived = true;
                    }
                }
                Event::Incoming(_) | Event::Outgoing(_) => {}
            }
            *done = arrived.iter().take_while(|a| **a).count();
        }
        Ok(())
    }
}

impl Writer for Broker {
    fn write(&mut self, lines: &[Arc<Line>], until: Instant) -> Result<(), Stopped> {
        let mut connection = self.connection.take().unwrap_or_else(|| {
            let (client, mut events) = AsyncClient::new(self.options.clone(), usize::from(WINDOW));
            // The client's own limit is in whole seconds; ours is shorter or there is another try.
            events.network_options.set_connection_timeout(3600);
            events.network_options.set_tcp_nodelay(true);
            (client, events)
        });
        let mut done = 0;
        let sent = self
            .runtime
            .block_on(self.send(&mut connection, lines, until, &mut done));
        match sent {
            Ok(()) => {
                self.connection = Some(connection);
                Ok(())
            }
            Err((what, then)) => Err(Stopped { done, what, then }),
        }
    }

    fn batch(&self) -> usize {
        usize::from(WINDOW)
    }

    fn idle(&mut self) {
        if let Some((_, events)) = &mut self.connection
            && self.runtime.block_on(catch_up(events)).is_err()
        {
            self.connection = None;
        }
    }

    fn close(&mut self, until: Instant) {
        if let Some((client, mut events)) = self.connection.take()
            && client.try_disconnect().is_ok()
        {
            // The broker closes the connection when it has read all that was sent.
            self.runtime
                .block_on(async { while event(&mut events, until).await.is_ok() {} });
        }
    }
}
