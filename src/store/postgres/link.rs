//! A connection: statements that are prepared once, many on their way at a time, and warnings that are heard.
//!
//! It never asks the server to cancel anything: a commit that is cancelled while it waits for a standby answers as one that
//! holds. Dropped, it closes, and the server takes back what was not committed.

use std::borrow::Cow;
use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Mutex, watch};
use tokio::task::AbortHandle;
use tokio_postgres::error::Severity;
use tokio_postgres::{AsyncMessage, Client, Connection, CopyInSink, CopyOutStream, Error, Row, Statement};

use super::value::Value;
use crate::store::StoreError;

/// What is said of a server that is not the primary any more.
const REPLACED: &str = "another server of the database has taken the place of this one";

/// Prepared statements that are kept; with more all are forgotten.
const PREPARED_MAX: usize = 256;

/// Which server a connection leads to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Server {
    /// The number that a cluster and its standbys share; 0 where it is not told.
    pub(super) cluster: i64,
    /// How often a standby became the primary; 0 where it is not told.
    pub(super) timeline: i64,
    /// When it was started, in microseconds.
    pub(super) started: i64,
}

impl Server {
    /// Whether another one of the same cluster has taken its place.
    fn was_replaced_by(self, other: Self) -> bool {
        self.cluster == other.cluster && self.timeline < other.timeline
    }
}

/// A connection that is open.
pub(super) struct Link {
    client: Client,
    prepared: Mutex<HashMap<String, Statement>>,
    warnings: Arc<AtomicU64>,
    driver: AbortHandle,
    server: Option<Server>,
    newest: watch::Receiver<Server>,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// How many rows a statement has to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Must {
    /// Whatever it changes is right.
    Any,
    /// So many, or what the plan rests on has changed.
    Change(usize),
}

/// A statement of a transaction.
pub(super) struct Step {
    pub(super) sql: Cow<'static, str>,
    pub(super) values: Vec<Value>,
    pub(super) must: Must,
}

impl Step {
    pub(super) fn any(sql: impl Into<Cow<'static, str>>, values: Vec<Value>) -> Self {
        Self { sql: sql.into(), values, must: Must::Any }
    }

    pub(super) fn must(rows: usize, sql: impl Into<Cow<'static, str>>, values: Vec<Value>) -> Self {
        Self { sql: sql.into(), values, must: Must::Change(rows) }
    }
}

/// Statements on their way.
type UnderWay<'a> = Pin<Box<dyn Future<Output = Result<u64, Error>> + Send + 'a>>;

impl Link {
    /// Takes over a connection that was made.
    pub(super) fn over<S, T>(
        client: Client,
        mut connection: Connection<S, T>,
        newest: watch::Receiver<Server>,
    ) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let warnings = Arc::<AtomicU64>::default();
        let heard = Arc::clone(&warnings);
        let driver = tokio::spawn(async move {
            while let Some(Ok(message)) = poll_fn(|cx| connection.poll_message(cx)).await {
                if let AsyncMessage::Notice(notice) = message
                    && is_warning(&notice)
                {
                    heard.fetch_add(1, Ordering::Release);
                    tracing::warn!(code = notice.code().code(), "the database warned");
                }
            }
        });
        let driver = driver.abort_handle();
        Self { client, prepared: Mutex::default(), warnings, driver, server: None, newest }
    }

    /// Notes which server it leads to, and for all connections that this one takes writes now. Refuses one whose place another
    /// has taken: it may answer what is no longer so, and what it is told is never kept.
    pub(super) fn is_of(&mut self, server: Server, newest: &watch::Sender<Server>) -> Result<(), StoreError> {
        newest.send_if_modified(|known| {
            let other = *known != server && !server.was_replaced_by(*known);
            if other {
                *known = server;
            }
            other
        });
        if *newest.borrow() != server {
            return Err(StoreError::Unavailable(REPLACED.to_owned()));
        }
        self.server = Some(server);
        Ok(())
    }

    /// Whether it is closed, or another server has taken the place of the one that it leads to.
    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed() || self.server.is_some_and(|server| *self.newest.borrow() != server)
    }

    /// Gives up what is asked of a server whose place another has taken: it may never answer, and never say so.
    async fn while_it_serves<T>(
        &self,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, StoreError> {
        let Some(server) = self.server else { return Ok(work.await?) };
        let mut newest = self.newest.clone();
        tokio::select! {
            done = work => Ok(done?),
            Ok(_) = newest.wait_for(|newest| *newest != server) => {
                self.driver.abort();
                Err(StoreError::Unavailable(REPLACED.to_owned()))
            }
        }
    }

    /// How many warnings the server sent. It sends them before the answer that they belong to.
    pub(super) fn warnings(&self) -> u64 {
        self.warnings.load(Ordering::Acquire)
    }

    /// Fails where the server has warned of a commit since there were so many warnings: it was not waited for, so it may still be lost
    /// with the server.
    pub(super) fn waited_for(&self, warned: u64) -> Result<(), StoreError> {
        if self.warnings() == warned {
            return Ok(());
        }
        Err(StoreError::Unavailable("a commit was cancelled while it waited for a standby".to_owned()))
    }

    async fn prepare(&self, sql: &str) -> Result<Statement, Error> {
        let mut prepared = self.prepared.lock().await;
        if let Some(statement) = prepared.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(sql).await?;
        if prepared.len() >= PREPARED_MAX {
            prepared.clear();
        }
        prepared.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    /// Statements without values, one after the other.
    pub(super) async fn batch(&self, sql: &str) -> Result<(), StoreError> {
        self.while_it_serves(Box::pin(self.client.batch_execute(sql))).await
    }

    /// The rows that a statement answers.
    pub(super) async fn rows(&self, sql: &str, values: Vec<Value>) -> Result<Vec<Row>, StoreError> {
        self.while_it_serves(Box::pin(async {
            let statement = self.prepare(sql).await?;
            let values: Vec<_> =
                values.iter().map(|value| &**value as &(dyn tokio_postgres::types::ToSql + Sync)).collect();
            self.client.query(&statement, &values).await
        }))
        .await
    }

    /// The only row that a statement answers, if it answers one.
    pub(super) async fn row(&self, sql: &str, values: Vec<Value>) -> Result<Option<Row>, StoreError> {
        Ok(self.rows(sql, values).await?.into_iter().next())
    }

    /// How many rows a statement changed.
    pub(super) async fn change(&self, sql: &str, values: Vec<Value>) -> Result<u64, StoreError> {
        self.while_it_serves(Box::pin(async {
            let statement = self.prepare(sql).await?;
            self.client.execute_raw(&statement, values).await
        }))
        .await
    }

    /// Takes rows in as the statement says. What was not finished is not kept.
    pub(super) async fn copy_in(&self, sql: &str) -> Result<CopyInSink<Bytes>, StoreError> {
        self.while_it_serves(Box::pin(self.client.copy_in(sql))).await
    }

    /// Gives rows out as the statement says, no faster than they are taken.
    pub(super) async fn copy_out(&self, sql: &str) -> Result<CopyOutStream, StoreError> {
        self.while_it_serves(Box::pin(self.client.copy_out(sql))).await
    }

    /// Sends all statements before the first is answered, and fails as the first that fails. Without a transaction around
    /// them each holds by itself.
    pub(super) async fn steps(&self, steps: Vec<Step>) -> Result<(), StoreError> {
        let musts: Vec<Must> = steps.iter().map(|step| step.must).collect();
        let answers = self.while_it_serves(Box::pin(self.answers(steps))).await?;
        for (answer, must) in answers.into_iter().zip(musts) {
            let changed = answer.unwrap_or(Ok(0))?;
            if let Must::Change(rows) = must
                && changed != rows as u64
            {
                return Err(StoreError::Conflict);
            }
        }
        Ok(())
    }

    async fn answers(&self, steps: Vec<Step>) -> Result<Vec<Option<Result<u64, Error>>>, Error> {
        let mut statements = Vec::with_capacity(steps.len());
        for step in &steps {
            statements.push(self.prepare(&step.sql).await?);
        }
        let sent = statements.iter().zip(steps.into_iter().map(|step| step.values));
        let mut under_way: Vec<UnderWay<'_>> = sent
            .map(|(statement, values)| Box::pin(self.client.execute_raw(statement, values)) as UnderWay<'_>)
            .collect();
        // A statement is sent when it is looked at first, so this is their order.
        let mut answers: Vec<Option<Result<u64, Error>>> = Vec::with_capacity(under_way.len());
        for one in &mut under_way {
            let looked = poll_fn(|cx| {
                Poll::Ready(match one.as_mut().poll(cx) {
                    Poll::Ready(answer) => Some(answer),
                    Poll::Pending => None,
                })
            });
            answers.push(looked.await);
        }
        for (answer, one) in answers.iter_mut().zip(under_way) {
            if answer.is_none() {
                *answer = Some(one.await);
            }
        }
        Ok(answers)
    }
}

fn is_warning(notice: &tokio_postgres::error::DbError) -> bool {
    notice.parsed_severity() == Some(Severity::Warning) || notice.code().code().starts_with("01")
}
