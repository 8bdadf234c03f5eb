//! From a code to an answer: WeChat is asked, then the link is recorded.

use std::sync::Arc;

use secrecy::SecretString;

use super::codes::{Seen, Told};
use super::{Answer, Error, InOfficialAccount, Login, Program, Request, SealedData};
use crate::model::{AppId, OpenId, UnionId};
use crate::store::mini_program_users::{self, Recorded};
use crate::store::{self, erasures, identities};
use crate::wechat::Class;
use crate::wechat::login::{LoginCode, LoginRefusal, Session};

/// What a session key is sealed for.
const PURPOSE: &str = "session_key";

/// WeChat dates what it seals. Much older data may be of before the account was bound elsewhere; a day
/// leaves room for clocks that differ.
const OLDEST_SEALED_SECONDS: i64 = 24 * 3_600;

impl Login {
    pub(super) async fn answer(
        self: &Arc<Self>,
        caller: &str,
        appid: &AppId,
        request: Request,
    ) -> Result<Answer, Error> {
        let Request { code, sealed, .. } = request;
        let call = self.clone().call(appid.clone(), code.clone(), caller.to_owned());
        let seen = self.codes.see(caller, appid, &code, call).await.ok_or(Error::AnothersCode)?;
        match seen.told().await {
            Ok(session) => self.settle(appid, &seen, &session, sealed).await,
            Err(error) => {
                if error.leaves_login_code() {
                    self.codes.forget(appid, &code).await;
                }
                Err(Error::of(error))
            }
        }
    }

    async fn call(self: Arc<Self>, appid: AppId, code: LoginCode, caller: String) -> Told {
        // `program` was asked before: every configured program is here.
        let none = SecretString::default();
        let secret = self.programs.get(&appid).map_or(&none, |program| &program.secret);
        let told = self.client.code_to_session(&appid, secret, &code).await;
        if let Err(error) = &told {
            let refusal = error.login_refusal();
            if matches!(refusal, Some(LoginRefusal::InvalidCode | LoginRefusal::UsedCode)) {
                self.refusals.count(&caller);
            } else if refusal.is_none() {
                let hint = if error.class() == Class::Config { error.hint() } else { None };
                tracing::warn!(app.id = %appid, %error, hint, "a login did not get through");
            }
        }
        told.map(Arc::new).map_err(Arc::new)
    }

    /// Records the login and makes the answer, once a code: unless a later request brings the unionid
    /// that the earlier ones lacked.
    async fn settle(
        &self,
        appid: &AppId,
        seen: &Seen,
        session: &Session,
        sealed: Option<SealedData>,
    ) -> Result<Answer, Error> {
        let mut made = seen.answer.lock().await;
        let sealed = sealed.filter(|_| session.unionid.is_none());
        if let Some(answer) = &*made
            && (answer.unionid.is_some() || sealed.is_none())
        {
            return Ok(answer.clone());
        }
        let of_client = match sealed {
            Some(sealed) => self.opened(appid, session, &sealed)?,
            None => None,
        };
        let mut answer = self.record(appid, session, of_client.as_ref()).await?;
        answer.new_user |= made.as_ref().is_some_and(|made| made.new_user);
        *made = Some(answer.clone());
        Ok(answer)
    }

    fn opened(
        &self,
        appid: &AppId,
        session: &Session,
        sealed: &SealedData,
    ) -> Result<Option<UnionId>, Error> {
        let SealedData { encrypted_data, iv } = sealed;
        let data = session.session_key.open(appid, &session.openid, encrypted_data, iv)?;
        let age = self.clock.now().timestamp() - data.sealed_at;
        if age > OLDEST_SEALED_SECONDS {
            return Err(Error::SealedDataStale);
        }
        Ok(data.unionid)
    }

    async fn record(
        &self,
        appid: &AppId,
        session: &Session,
        unionid_of_client: Option<&UnionId>,
    ) -> Result<Answer, Error> {
        let session_key = self.sealed_key(appid, session)?;
        let login = mini_program_users::Login {
            openid: &session.openid,
            unionid: session.unionid.as_ref(),
            unionid_of_client,
            session_key: session_key.as_deref(),
        };
        let recorded = store::in_time(async {
            let recorded = self.write(appid, login).await?;
            let known = self.known(recorded.unionid.as_ref()).await?;
            Ok((recorded, known))
        });
        let (Recorded { is_new, unionid }, official_accounts) = recorded.await?;
        let (appid, openid) = (appid.clone(), session.openid.clone());
        Ok(Answer { appid, openid, unionid, new_user: is_new, official_accounts })
    }

    fn sealed_key(&self, appid: &AppId, session: &Session) -> Result<Option<String>, Error> {
        let wanted = self.programs.get(appid).filter(|_| self.settings.store_session_key);
        let Some(Program { sealer, .. }) = wanted else { return Ok(None) };
        let plain = SecretString::from(session.session_key.expose());
        Ok(Some(sealer.seal(PURPOSE, &plain)?))
    }

    async fn write(
        &self,
        appid: &AppId,
        login: mini_program_users::Login<'_>,
    ) -> Result<Recorded, store::Error> {
        let account = self.accounts.number(&self.store, appid).await?;
        let transaction = self.store.begin().await?;
        let now = store::now(&transaction).await?;
        let recorded = mini_program_users::record_login(&transaction, account, login, now).await?;
        let unionid = recorded.unionid.as_ref();
        erasures::readmit(&transaction, account, login.openid, unionid).await?;
        transaction.commit().await?;
        Ok(recorded)
    }

    /// The person in every configured Official Account.
    async fn known(
        &self,
        unionid: Option<&UnionId>,
    ) -> Result<Vec<InOfficialAccount>, store::Error> {
        let Some(unionid) = unionid else { return Ok(Vec::new()) };
        let appids = self.accounts.by_number(&self.store).await?;
        let follows = identities::list_follows(self.store.reader(), unionid).await?;
        let known = |(account, follow): (_, identities::Follow)| {
            let appid = AppId::clone(appids.get(&account)?);
            let (openid, subscribed): (OpenId, bool) = (follow.openid, follow.subscribed);
            Some(InOfficialAccount { appid, openid, subscribed })
        };
        Ok(follows.into_iter().filter_map(known).collect())
    }
}
