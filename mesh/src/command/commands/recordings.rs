//! Questions about recordings: they lie on the nodes that held the calls.

use futures::future::try_join_all;
use proto::switch::v1::command_request::Command;
use proto::switch::v1::{Done, FilePart, ListRecordings, ReadRecording};

use super::{Commands, Object, Sending};
use crate::command::{Refusal, Session};

impl Commands {
    /// Asks every node for the newest recordings of its own.
    ///
    /// # Errors
    /// When any node does not answer: a list with a hole would look like a whole one.
    pub async fn list_recordings(
        &self,
        session: &Session,
        wanted: &ListRecordings,
    ) -> Result<Vec<Done>, Refusal> {
        self.nodes.refresh().await.map_err(Refusal::Store)?;
        let asking = self.nodes.all().into_iter().map(|node| async {
            let command = Command::ListRecordings(wanted.clone());
            let sending = Sending::on(Object::Recording(""), Some(node), command);
            told(self.send(session, &sending, None).await)
        });
        try_join_all(asking).await
    }

    /// Reads a part of a recording's file.
    ///
    /// # Errors
    /// `RecordingNotFound`, or what came between.
    pub async fn read_recording(
        &self,
        session: &Session,
        i_recording: String,
        offset: i64,
    ) -> Result<FilePart, Refusal> {
        let object = Object::Recording(&i_recording);
        let node = self.node_of(object).await?;
        let read = ReadRecording { i_recording: i_recording.clone(), offset };
        let sending = Sending::on(object, node, Command::ReadRecording(read));
        let done = told(self.send(session, &sending, None).await)?;
        done.part.ok_or_else(|| Refusal::BadAnswer("no part".to_owned()))
    }
}

/// Nothing is changed by a question, whatever became of it.
fn told(outcome: Result<Done, Refusal>) -> Result<Done, Refusal> {
    match outcome {
        Err(Refusal::NoAnswer) => Err(Refusal::NotTold),
        outcome => outcome,
    }
}
