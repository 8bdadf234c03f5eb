//! What a login leaves behind: the link, and the answer made of what is known now.

use secrecy::SecretString;

use super::{Answer, Asked, Error, OfficialAccount, Sealed, Shared};
use crate::model::UnionId;
use crate::store::mini_program_users::{self, Login};
use crate::store::{self, erasures, identities};
use crate::wechat::login::Session;

/// What session keys are sealed for.
const PURPOSE: &str = "session_key";

/// Encrypted data older than this is refused. `wx.getUserInfo` seals it anew each time, so that data
/// of this login is seconds old; older data may have been recorded, and may tell a unionid from before
/// the Mini Program was bound elsewhere.
const OLDEST_SECONDS: i64 = 10 * 60;

impl Shared {
    /// Stores the user, who thereby acts, and gathers what is known.
    pub(super) async fn record(&self, asked: &Asked, session: &Session) -> Result<Answer, Error> {
        let unionid_of_client = match (&session.unionid, &asked.sealed) {
            (None, Some(sealed)) => self.open(asked, session, sealed).await?,
            _ => None,
        };
        let session_key = self.sealed_key(asked, session)?;
        let login = Login {
            openid: &session.openid,
            unionid: session.unionid.as_ref(),
            unionid_of_client: unionid_of_client.as_ref(),
            session_key: session_key.as_deref(),
        };
        Ok(store::in_time(self.write(asked, login)).await?)
    }

    /// The unionid in the client's encrypted data.
    async fn open(
        &self,
        asked: &Asked,
        session: &Session,
        sealed: &Sealed,
    ) -> Result<Option<UnionId>, Error> {
        let Sealed { encrypted_data, iv } = sealed;
        let opened = session.session_key.open(&asked.appid, &session.openid, encrypted_data, iv)?;
        let now = store::in_time(self.store.now()).await?;
        match now / 1_000 - opened.sealed_at {
            age if age > OLDEST_SECONDS => Err(Error::SealedDataOld),
            _ => Ok(opened.unionid),
        }
    }

    fn sealed_key(&self, asked: &Asked, session: &Session) -> Result<Option<String>, Error> {
        let Some(program) =
            self.programs.get(&asked.appid).filter(|_| self.settings.store_session_key)
        else {
            return Ok(None);
        };
        let plain = SecretString::from(session.session_key.expose());
        Ok(Some(program.sealer.seal(PURPOSE, &plain)?))
    }

    async fn write(&self, asked: &Asked, login: Login<'_>) -> Result<Answer, store::Error> {
        let account = self.accounts.number(&self.store, &asked.appid).await?;
        let appids = self.accounts.by_number(&self.store).await?;
        let found = mini_program_users::find(self.store.reader(), account, login.openid).await?;
        let transaction = self.store.begin().await?;
        let recorded =
            mini_program_users::record_login(&transaction, account, login, found).await?;
        let unionid = recorded.unionid;
        erasures::readmit(&transaction, account, login.openid, unionid.as_ref()).await?;
        let follows = match &unionid {
            Some(unionid) => identities::list_follows(&transaction, unionid).await?,
            None => Vec::new(),
        };
        transaction.commit().await?;
        let official_accounts = follows.into_iter().filter_map(|(account, follow)| {
            let appid = (*appids.get(&account)?).clone();
            Some(OfficialAccount { appid, openid: follow.openid, subscribed: follow.subscribed })
        });
        Ok(Answer {
            appid: asked.appid.clone(),
            openid: login.openid.clone(),
            unionid: unionid.clone(),
            new_user: recorded.is_new,
            official_accounts: official_accounts.collect(),
        })
    }
}
