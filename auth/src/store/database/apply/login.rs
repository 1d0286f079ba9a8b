//! Logins of a plan, and what happens to the sessions of those that it changes.

use mesh::clock::Timestamp;

use super::Writer;
use crate::domain::access::Realm;
use crate::domain::directory::StoreError;
use crate::domain::plan::Login;
use crate::domain::principal::Subject;
use crate::domain::secret::Secret;
use crate::domain::session::Revoked;
use crate::store::database::session::{end_all, revoke};
use crate::store::engine::{Query, Transaction, query, query_scalar};
use crate::store::sql::import as sql;

impl Writer<'_> {
    /// Lets `subject` log in as `login` says. A plan without login leaves the present one alone.
    pub(super) async fn login(
        &mut self,
        subject: Subject,
        login: Option<&Login>,
    ) -> Result<(), StoreError> {
        let Some(login) = login else { return Ok(()) };
        if !self.is_free(subject, login).await? {
            return Ok(());
        }
        let role = match &login.role {
            Some(role) => {
                let name = self.name_of(sql::ROLE, &role.text).await?;
                if name.is_none() {
                    self.unknown(role, "role");
                    return Ok(());
                }
                name
            }
            None => None,
        };
        let present = query(sql::CREDENTIAL)
            .bind(subject.realm.as_str())
            .bind(subject.id)
            .fetch_optional(&mut *self.connection)
            .await?;
        let Some(present) = present else { return self.add(subject, login, role).await };

        bind(query(sql::UPDATE_CREDENTIAL), subject, login, role.as_deref())
            .execute(&mut *self.connection)
            .await?;
        let hash: String = present.get("password_hash")?;
        let has_new_password =
            login.password_hash.as_ref().is_some_and(|new| *new != Secret::new(hash));
        let must_change = login.must_change_password && !present.flag("must_change_password")?;
        let role_before: Option<String> = present.get("role")?;
        if has_new_password || must_change {
            end_all(self.connection, subject, self.at).await?;
        } else if role_before != role || present.flag("is_super_user")? != login.is_super_user {
            revoke(self.connection, &Revoked::User(subject), false, self.at).await?;
        }
        Ok(())
    }

    async fn add(
        &mut self,
        subject: Subject,
        login: &Login,
        role: Option<String>,
    ) -> Result<(), StoreError> {
        if login.password_hash.is_none() {
            let what = format!("the login `{}` is new and has no password", login.login.text);
            self.wrong(&login.login.place, what, "give `password_hash`");
            return Ok(());
        }
        bind(query(sql::ADD_CREDENTIAL), subject, login, role.as_deref())
            .execute(&mut *self.connection)
            .await?;
        Ok(())
    }

    /// Whether nobody else has the login.
    async fn is_free(&mut self, subject: Subject, login: &Login) -> Result<bool, StoreError> {
        let holder = self.holder(subject.realm, &login.login.text).await?;
        if holder.is_none_or(|holder| holder == subject.id) {
            return Ok(true);
        }
        let what = format!(
            "the login `{}` of realm {} is somebody else's already",
            login.login.text, subject.realm
        );
        self.wrong(&login.login.place, what, "choose another login");
        Ok(false)
    }

    /// The key of who has a login.
    pub(super) async fn holder(
        &mut self,
        realm: Realm,
        login: &str,
    ) -> Result<Option<i64>, StoreError> {
        query_scalar(sql::LOGIN)
            .bind(realm.as_str())
            .bind(login)
            .fetch_optional(&mut *self.connection)
            .await
    }

    pub(super) async fn blocked(&mut self, party: Subject) -> Result<(), StoreError> {
        end_below(self.connection, party, self.at).await
    }
}

fn bind(query: Query, subject: Subject, login: &Login, role: Option<&str>) -> Query {
    query
        .bind(subject.realm.as_str())
        .bind(subject.id)
        .bind(&login.login.text)
        .bind(login.password_hash.as_ref().map(Secret::expose))
        .bind(login.api_token_sha256.as_ref().map(Secret::expose))
        .bind(role)
        .bind(i64::from(login.is_super_user))
        .bind(i64::from(login.must_change_password))
        .bind(i64::from(login.is_demo))
}

/// Ends the sessions of everybody at or below a party that has been blocked.
pub(in crate::store::database) async fn end_below(
    connection: &mut Transaction,
    party: Subject,
    at: Timestamp,
) -> Result<(), StoreError> {
    let below = query(sql::SUBJECTS_BELOW)
        .bind(party.realm.as_str())
        .bind(party.id)
        .fetch_all(&mut *connection)
        .await?;
    for row in below {
        let realm = row
            .get::<String>("realm")?
            .parse()
            .map_err(|_unknown| StoreError::Corrupt { what: "realm" })?;
        let subject = Subject { realm, id: row.get("subject")? };
        end_all(connection, subject, at).await?;
    }
    Ok(())
}
